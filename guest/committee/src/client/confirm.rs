//! Whether a receipt still holds: a recovery may have gone on from less.

use super::connection::Endpoint;
use super::{Client, ClientError, Receipt, Truncation, Verified};

impl Client {
    /// Whether a receipt's entry is in the history that the committee has now, and the checkpoint under which it is.
    ///
    /// A receipt is for good as long as its epoch lasts. After a recovery it may name what is no longer there; it is then the proof of that.
    ///
    /// # Errors
    /// [`ClientError::Truncated`] where a recovery dropped it; other errors where no member could show either.
    pub async fn confirm(&self, receipt: &Receipt) -> Result<Verified, ClientError> {
        self.connected().await?;
        self.first(async |endpoint| self.confirm_of(endpoint, receipt).await).await
    }

    async fn confirm_of(&self, endpoint: &Endpoint, receipt: &Receipt) -> Result<Verified, ClientError> {
        let unproven = |why: &str| ClientError::unproven(&endpoint.address, "receipt", why);
        let entry = &receipt.entry;
        let page = self.page(endpoint, entry.surface(), entry.seq(), "&limit=1").await?;
        let verified = match &page {
            Some(page) => self.verify(endpoint, &page.note, true).await?,
            None => self.checkpoint_of(endpoint, "/checkpoint").await?,
        };
        self.not_behind(endpoint, &verified)?;
        if let Some((index, found)) = page.as_ref().and_then(|page| page.entries.first())
            && (*index, found.bytes()) == (receipt.index, entry.bytes())
        {
            return Ok(verified);
        }
        let epoch = receipt.checkpoint.checkpoint().epoch;
        if verified.checkpoint().epoch == epoch {
            return Err(unproven("its entry does not stand where its number is"));
        }
        let survives = self.survives(endpoint, epoch)?;
        if receipt.index < survives {
            return Err(unproven("its entry is among those that a recovery went on from, and is not shown"));
        }
        let (before, after) = (receipt.checkpoint.note().to_owned(), verified.note().to_owned());
        let proof = Box::new(Truncation { before, after, survives });
        Err(ClientError::Truncated { index: receipt.index, proof })
    }
}
