//! Which text of an event its digest proves.

use std::borrow::Cow;

use super::{Event, EventType};

/// What GRUB puts before a string that it measures; the digest is of what follows.
const GRUB_PREFIXES: [&[u8]; 3] = [b"grub_cmd: ", b"kernel_cmdline: ", b"module_cmdline: "];

impl<'a> Event<'a> {
    /// The bytes whose hash the event's digests are, where the log carries them: all of the data, or the part of it
    /// that this type of event hashes. None where the digest is of something that the log does not
    /// carry (a file, a section, a table): then nothing beside the digest is proven.
    ///
    /// That the bytes are proven does not prove what they are: the type of the event is not.
    #[must_use]
    pub fn authenticated_text(&self) -> Option<Cow<'a, [u8]>> {
        if !self.extends() {
            return None;
        }
        let proven = |text: &'a [u8]| self.digests.are_of(text).then_some(Cow::Borrowed(text));
        if let Some(text) = proven(self.data) {
            return Some(text);
        }
        match self.event_type {
            EventType::EFI_VARIABLE_BOOT => proven(variable_data(self.data)?),
            EventType::IPL => self.ipl_text(),
            _ => None,
        }
    }

    /// Boot loaders' strings. GRUB: without the final NUL and without its own prefix. systemd-stub
    /// (`tpm_log_ipl_event`): it logs a section's name in UTF-16 and hashes it in ASCII, NUL included.
    fn ipl_text(&self) -> Option<Cow<'a, [u8]>> {
        let text = self.data.strip_suffix(&[0]).unwrap_or(self.data);
        let bare = GRUB_PREFIXES.iter().find_map(|prefix| text.strip_prefix(*prefix));
        for candidate in [Some(text), bare].into_iter().flatten() {
            if self.digests.are_of(candidate) {
                return Some(Cow::Borrowed(candidate));
            }
        }
        let (pairs, rest) = self.data.as_chunks::<2>();
        // Longer than a PE section's name can be: not one of these.
        if !rest.is_empty() || pairs.len() > 9 {
            return None;
        }
        let ascii: Vec<u8> = pairs
            .iter()
            .map(|[low, high]| (*high == 0 && low.is_ascii()).then_some(*low))
            .collect::<Option<_>>()?;
        self.digests.are_of(&ascii).then_some(Cow::Owned(ascii))
    }
}

/// `VariableData` of a `UEFI_VARIABLE_DATA`: GUID, two lengths, the name in UTF-16, the data (PFP 1.06, 10.4.2.1).
/// Boot variables are measured without the rest.
fn variable_data(data: &[u8]) -> Option<&[u8]> {
    let (_guid, rest) = data.split_at_checked(16)?;
    let (name_length, rest) = rest.split_first_chunk::<8>()?;
    let (data_length, rest) = rest.split_first_chunk::<8>()?;
    let name = usize::try_from(u64::from_le_bytes(*name_length)).ok()?.checked_mul(2)?;
    let (_name, value) = rest.split_at_checked(name)?;
    let length = usize::try_from(u64::from_le_bytes(*data_length)).ok()?;
    (value.len() == length).then_some(value)
}
