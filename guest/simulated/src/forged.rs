//! A forged TD that answers to bindings: right or wrong as its case says.

use hallmark_evidence::{Binding, BootEvent, Digests, Kind, Register, Source, SourceError, Statement};
use hallmark_forge::TdxCase;

/// A machine for tests that is whatever its [`TdxCase`] says, good or bad. It writes evidence the way a guest does; only the
/// quote is forged. Where the case sets a report_data of its own, that is what is quoted, whatever was asked.
#[derive(Debug, Clone, Default)]
pub struct ForgedTd(pub TdxCase);

impl Source for ForgedTd {
    fn kind(&self) -> Kind {
        Kind::Tdx
    }

    fn state(&mut self, binding: &Binding) -> Result<Statement, SourceError> {
        let Self(case) = self;
        let event = |event: &hallmark_forge::evidence::BootEvent| BootEvent {
            register: Register::Rtmr3,
            event: event.event.clone(),
            digests: Digests::new(None, &event.digests.sha384),
        };
        Ok(Statement {
            quote: case.quote_over(binding.report_data()),
            event_log: case.log.bytes(),
            boot_events: case.boot_events.iter().map(event).collect(),
            ..Statement::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_it_is_asked_and_what_its_case_says() {
        let mut td = ForgedTd::default();
        let (one, other) = (Binding::of_hash([1; 64]), Binding::of_hash([2; 64]));
        // Intel TDX DCAP Quoting Library API, A.3.2: a v4 TD 1.0 body begins at 48.
        let report_data =
            |td: &mut ForgedTd, binding| td.state(binding).unwrap().quote[48 + 0x208..][..64].to_vec();
        assert_eq!(report_data(&mut td, &one), [1; 64]);
        assert_eq!(report_data(&mut td, &other), [2; 64]);
        td.0.quote.body.report_data = Some([3; 64]);
        assert_eq!(report_data(&mut td, &one), [3; 64]);
        assert_eq!(td.state(&one).unwrap().boot_events.len(), td.0.boot_events.len());
    }
}
