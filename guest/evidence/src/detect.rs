//! Which platform this is.

use std::path::Path;

use crate::Source;
use crate::tsm::{Tsm, TsmError};
use crate::vtpm::Vtpm;

/// Why the platform could not be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// A report interface is there but does not work. Falling back to a TPM would silently trade a
    /// confidential machine's evidence for the host's word, so it is an error.
    #[error(transparent)]
    Tsm(#[from] TsmError),
}

/// The best source under `root` (`/` on a machine): TDX or SNP where the kernel has a report provider, else
/// the TPM, else none.
///
/// # Errors
/// A report interface that is there but broken.
pub fn detect(root: &Path) -> Result<Option<Box<dyn Source>>, DetectError> {
    if let Some(tsm) = Tsm::open(root)? {
        return Ok(Some(Box::new(tsm)));
    }
    Ok(Vtpm::open(root).map(|vtpm| Box::new(vtpm) as Box<dyn Source>))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn nothing_then_a_tpm_then_a_provider() {
        let root = tempfile::tempdir().unwrap();
        assert!(detect(root.path()).unwrap().is_none());

        std::fs::create_dir_all(root.path().join("dev")).unwrap();
        std::fs::write(root.path().join("dev/tpmrm0"), b"").unwrap();
        assert_eq!(detect(root.path()).unwrap().unwrap().kind(), Kind::Vtpm);

        let entry = root.path().join(crate::tsm::REPORT).join(crate::tsm::ENTRY);
        std::fs::create_dir_all(&entry).unwrap();
        std::fs::write(entry.join("provider"), b"tdx_guest\n").unwrap();
        assert_eq!(detect(root.path()).unwrap().unwrap().kind(), Kind::Tdx);

        std::fs::write(entry.join("provider"), b"unheard_of\n").unwrap();
        assert!(detect(root.path()).is_err());
    }
}
