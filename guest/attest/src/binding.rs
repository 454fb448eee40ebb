//! What evidence of a session is bound to.
//!
//! ```text
//! binding = SHA-512("hallmark/attested-tls/1" || n(role) || n(context) || SHA-256(SPKI DER) || exporter)
//! n(x)    = length of x in bytes as u32, little endian, then x
//! context = n(hello frame of the client) || n(hello frame of the server)
//! exporter = TLS-Exporter("EXPORTER-hallmark-attest", role || nonce_C || nonce_S || round, 32)
//! ```
//!
//! `role` is the prover's, `client` or `server` (six bytes either way), SPKI the prover's. `round` is empty in the handshake,
//! and the number of the challenge, as u64 little endian, afterwards. The exporter is of this TLS connection alone
//! (RFC 8446, 7.5), so evidence for another says something else; the role keeps a side's own evidence from being sent
//! back to it.

use sha2::{Digest as _, Sha512};

/// Separates these hashes from every other use of SHA-512.
pub const DOMAIN: &[u8] = b"hallmark/attested-tls/1";
/// Separates the message that a held key signs from every other.
pub const POSSESSION_DOMAIN: &[u8] = b"hallmark/possession/1";
/// The label of the exporter (RFC 8446, 7.5).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-hallmark-attest";

/// A side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who connects.
    Client,
    /// Who accepts.
    Server,
}

impl Role {
    /// The word that is bound.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The context of the exporter: role, both nonces, and the round of a challenge.
#[must_use]
pub fn exporter_context(
    prover: Role,
    client_nonce: &[u8; 32],
    server_nonce: &[u8; 32],
    round: Option<u64>,
) -> Vec<u8> {
    let round = round.map(u64::to_le_bytes);
    [prover.word().as_bytes(), client_nonce, server_nonce, round.as_ref().map_or(&[][..], |round| round)]
        .concat()
}

/// `context`, of the bodies of both hello frames.
#[must_use]
pub fn context(client_hello: &[u8], server_hello: &[u8]) -> Vec<u8> {
    [&length(client_hello)[..], client_hello, &length(server_hello)[..], server_hello].concat()
}

/// The 64 bytes that evidence of the prover carries.
#[must_use]
pub fn binding(prover: Role, context: &[u8], spki_sha256: &[u8; 32], exporter: &[u8; 32]) -> [u8; 64] {
    let role = prover.word().as_bytes();
    Sha512::new()
        .chain_update(DOMAIN)
        .chain_update(length(role))
        .chain_update(role)
        .chain_update(length(context))
        .chain_update(context)
        .chain_update(spki_sha256)
        .chain_update(exporter)
        .finalize()
        .into()
}

/// What the key of a client without evidence signs: the same parts under a tag of its own, its key in the place of the SPKI.
#[must_use]
pub fn possession(prover: Role, context: &[u8], key: &[u8; 32], exporter: &[u8; 32]) -> Vec<u8> {
    let role = prover.word().as_bytes();
    [POSSESSION_DOMAIN, &length(role), role, &length(context), context, key, exporter].concat()
}

/// The length before a field. No field here is anywhere near 4 GiB: frames are bounded to 16 MiB.
fn length(field: &[u8]) -> [u8; 4] {
    u32::try_from(field.len()).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binding_is_the_formula() {
        let by_hand: [u8; 64] = Sha512::digest(
            [
                &b"hallmark/attested-tls/1"[..],
                &[6, 0, 0, 0],
                b"client",
                &[5, 0, 0, 0],
                b"hello",
                &[1; 32],
                &[2; 32],
            ]
            .concat(),
        )
        .into();
        assert_eq!(binding(Role::Client, b"hello", &[1; 32], &[2; 32]), by_hand);
    }

    #[test]
    fn the_exporter_s_context_is_role_nonces_and_round() {
        let plain = exporter_context(Role::Server, &[1; 32], &[2; 32], None);
        assert_eq!(plain, [&b"server"[..], &[1; 32], &[2; 32]].concat());
        let round = exporter_context(Role::Server, &[1; 32], &[2; 32], Some(0x0102));
        assert_eq!(round, [&plain[..], &[2, 1, 0, 0, 0, 0, 0, 0]].concat());
    }

    #[test]
    fn every_part_counts_and_none_can_move() {
        let all = [
            binding(Role::Client, b"ab", &[1; 32], &[2; 32]),
            binding(Role::Server, b"ab", &[1; 32], &[2; 32]),
            binding(Role::Client, b"a", &[1; 32], &[2; 32]),
            binding(Role::Client, b"ab", &[3; 32], &[2; 32]),
            binding(Role::Client, b"ab", &[1; 32], &[3; 32]),
            binding(Role::Client, &context(b"a", b"bc"), &[1; 32], &[2; 32]),
            binding(Role::Client, &context(b"ab", b"c"), &[1; 32], &[2; 32]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all.iter().skip(index + 1).any(|other| other == one), "{index}");
        }
        assert!(
            possession(Role::Client, b"ab", &[1; 32], &[2; 32]).starts_with(b"hallmark/possession/1\x06")
        );
    }
}
