//! Damage that others can mend: entries from a peer, believed only because the tree names them.

use super::{LogDir, StoreError, bytes_of, write_file};
use crate::{
    edge::{Edge, TileError, Tiles},
    hash::{self, Hash},
    tile::{self, Coordinates, Kind, WIDTH},
    tree,
};

impl LogDir {
    /// Which full bundles are damaged: they or the tile of their hashes are not what the tree says. Reads the whole folder.
    #[must_use]
    pub fn damaged(&self) -> Vec<u64> {
        let fresh = Tiles::new(self.tiles.edge.clone());
        let whole = |index: u64| -> Result<(), TileError> {
            let leaves = fresh.tile(&self.files, 0, index)?;
            let (bytes, path) = crate::edge::fetch(&self.files, Coordinates::full(Kind::Entries, index))?;
            crate::edge::check_bundle(&bytes, leaves.hashes(), 0..256, &path).map(|_| ())
        };
        (0..Edge::full(self.size(), 0)).filter(|index| whole(*index).is_err()).collect()
    }

    /// Writes a full bundle and its tile again, from the 256 entries of somebody who still has them.
    ///
    /// # Errors
    /// Where these are not the entries that the tree names, the tiles above are damaged as well, or a file cannot be written.
    pub fn repair<E: AsRef<[u8]>>(&mut self, bundle: u64, entries: &[E]) -> Result<(), StoreError> {
        let leaves: Vec<Hash> = entries.iter().map(|entry| hash::leaf(entry.as_ref())).collect();
        let got = tree::perfect(&leaves);
        let above = bundle / WIDTH;
        // Kept tiles were right once; the files are what is mended.
        let fresh = Tiles::new(self.tiles.edge.clone());
        let want = match fresh.parent(&self.files, 0, bundle) {
            Ok(want) => want,
            // The tile above is damaged too. It is the roots of those below: written again if they come to what its own parent says.
            Err(_) if above < Edge::full(self.size(), 1) => {
                self.rebuild(above, bundle, got)?;
                fresh.parent(&self.files, 0, bundle)?
            }
            Err(error) => return Err(error.into()),
        };
        if entries.len() != 256 || got != want {
            return Err(StoreError::Repair { bundle, got, want });
        }
        let bytes = tile::bundle(entries).ok_or(StoreError::Repair { bundle, got, want })?;
        self.write(&Coordinates::full(Kind::Entries, bundle), &bytes)?;
        self.write(&Coordinates::full(Kind::Hashes(0), bundle), &bytes_of(&leaves))
    }

    /// Writes a tile of level 1 again from those of level 0, one of them given by its root.
    fn rebuild(&self, above: u64, bundle: u64, root: Hash) -> Result<(), StoreError> {
        let row = (above * WIDTH..(above + 1) * WIDTH).map(|index| {
            if index == bundle {
                return Ok(root);
            }
            Ok(tree::perfect(&crate::edge::read_hashes(
                &self.files,
                Coordinates::full(Kind::Hashes(0), index),
            )?))
        });
        let row = row.collect::<Result<Vec<Hash>, TileError>>()?;
        let place = Coordinates::full(Kind::Hashes(1), above);
        let (got, want) = (tree::perfect(&row), self.tiles.parent(&self.files, 1, above)?);
        if got != want {
            return Err(TileError::Wrong { path: place.to_string(), got, want }.into());
        }
        write_file(&self.folder.join(place.to_string()), &bytes_of(&row))
    }
}
