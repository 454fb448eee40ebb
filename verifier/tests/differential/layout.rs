//! Where the parts of a quote stand, read without either verifier (Intel TDX DCAP Quoting Library API, A.3
//! and A.4).

#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// The length of the signature data; their first byte is four bytes on.
    pub(crate) signature_length: usize,
    pub(crate) outer_type: usize,
    pub(crate) outer_length: usize,
    pub(crate) qe_report: usize,
    pub(crate) auth_length: usize,
    pub(crate) inner_type: usize,
    pub(crate) inner_length: usize,
    pub(crate) chain: usize,
    /// Where each length says that its part ends.
    pub(crate) chain_end: usize,
    pub(crate) outer_end: usize,
    pub(crate) signature_end: usize,
}

fn number<const N: usize>(quote: &[u8], at: usize) -> Option<usize> {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(quote.get(at..at.checked_add(N)?)?);
    usize::try_from(u64::from_le_bytes(wide)).ok()
}

impl Layout {
    /// Only for TD quotes whose lengths stay within the bytes.
    pub(crate) fn of(quote: &[u8]) -> Option<Self> {
        let signature_length = match number::<2>(quote, 0)? {
            4 => 48 + 584,
            5 => 54 + number::<4>(quote, 50)?,
            _ => return None,
        };
        let outer_type = signature_length + 4 + 128;
        let outer_length = outer_type + 2;
        let qe_report = outer_length + 4;
        let auth_length = qe_report + 384 + 64;
        let inner_type = auth_length + 2 + number::<2>(quote, auth_length)?;
        let inner_length = inner_type + 2;
        let chain = inner_length + 4;
        let layout = Self {
            signature_length,
            outer_type,
            outer_length,
            qe_report,
            auth_length,
            inner_type,
            inner_length,
            chain,
            chain_end: chain + number::<4>(quote, inner_length)?,
            outer_end: qe_report + number::<4>(quote, outer_length)?,
            signature_end: signature_length + 4 + number::<4>(quote, signature_length)?,
        };
        [layout.chain_end, layout.outer_end, layout.signature_end]
            .iter()
            .all(|end| *end <= quote.len())
            .then_some(layout)
    }

    pub(crate) fn chain_text(quote: &[u8]) -> Option<String> {
        let layout = Self::of(quote)?;
        quote.get(layout.chain..layout.chain_end).map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// The quote with `chain` as its inner certification data, and every length to match. Slack and trailing
    /// bytes are dropped.
    pub(crate) fn with_chain(quote: &[u8], chain: &[u8]) -> Option<Vec<u8>> {
        let layout = Self::of(quote)?;
        let mut new = quote.get(..layout.chain)?.to_vec();
        new.extend_from_slice(chain);
        for (at, from) in [
            (layout.inner_length, layout.chain),
            (layout.outer_length, layout.qe_report),
            (layout.signature_length, layout.signature_length + 4),
        ] {
            let length = u32::try_from(new.len() - from).unwrap();
            new.get_mut(at..at + 4)?.copy_from_slice(&length.to_le_bytes());
        }
        Some(new)
    }
}
