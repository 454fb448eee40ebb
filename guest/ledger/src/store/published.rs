//! What readers see of a folder: its files, or a running member's memory.

use std::{collections::BTreeSet, fs};

use super::{LogDir, StoreError, bytes_of, failed, write_file};
use crate::{
    edge::Edge,
    source::{Source, SourceError},
    tile::{self, Coordinates, Kind, MAX_LEVEL, WIDTH},
};

impl LogDir {
    /// Writes what the last checkpoint covers so that the folder alone serves readers: partial tiles, then the checkpoint, at once or not at
    /// all. Partial tiles of the publication before the last are removed.
    ///
    /// # Errors
    /// Where a file cannot be written or read.
    pub fn publish(&mut self) -> Result<(), StoreError> {
        let Some(note) = self.checkpoint.clone().filter(|_| self.covered > 0) else { return Ok(()) };
        let mut now = BTreeSet::new();
        for place in edge_of(self.covered) {
            let path = self.folder.join(place.to_string());
            if self.published.contains(&path) {
                now.insert(path);
            } else if let Some(bytes) =
                self.read(&place.to_string(), place.limit()).map_err(super::TileError::from)?
            {
                write_file(&path, &bytes)?;
                now.insert(path);
            }
        }
        let fresh = self.folder.join("checkpoint.new");
        write_file(&fresh, note.as_bytes())?;
        fs::rename(&fresh, self.folder.join(tile::CHECKPOINT)).map_err(failed(&fresh))?;
        for path in self.published.difference(&now) {
            let _ = fs::remove_file(path);
            // The `.p` folder of a tile that is full now; others are not empty.
            let _ = path.parent().map(fs::remove_dir);
        }
        self.published = now;
        Ok(())
    }
}

/// Partial tiles and the partial bundle of a tree.
fn edge_of(size: u64) -> impl Iterator<Item = Coordinates> {
    (0..=MAX_LEVEL).map(Kind::Hashes).chain([Kind::Entries]).filter_map(move |kind| {
        let level = if let Kind::Hashes(level) = kind { level } else { 0 };
        Coordinates::new(kind, Edge::full(size, level), Edge::partial(size, level))
    })
}

/// A running member's files: as [`LogDir::publish`] would write them, up to the last checkpoint that was set and no further.
impl Source for LogDir {
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let bytes = if path == tile::CHECKPOINT {
            self.checkpoint.as_ref().map(|note| note.clone().into_bytes())
        } else {
            let Ok(place) = path.parse::<Coordinates>() else { return Ok(None) };
            self.tile_bytes(&place).map_err(|why| SourceError { path: path.to_owned(), why })?
        };
        match bytes {
            Some(bytes) if bytes.len() > limit => {
                Err(SourceError { path: path.to_owned(), why: format!("more than {limit} bytes") })
            }
            bytes => Ok(bytes),
        }
    }
}

impl LogDir {
    /// Bytes of a tile or bundle that the last checkpoint covers.
    fn tile_bytes(&self, place: &Coordinates) -> Result<Option<Vec<u8>>, String> {
        let level = if let Kind::Hashes(level) = place.kind() { level } else { 0 };
        let end =
            place.index().checked_mul(WIDTH).and_then(|start| start.checked_add(u64::from(place.width())));
        let covered = self.covered >> (8 * u32::from(level));
        if end.is_none_or(|end| end > covered) {
            return Ok(None);
        }
        let width = usize::from(place.width());
        match place.kind() {
            Kind::Hashes(level) => {
                let row = self.tiles.tile(&self.files, level, place.index()).map_err(|e| e.to_string())?;
                Ok(row.hashes().get(..width).map(bytes_of))
            }
            Kind::Entries => {
                let bundle = self.bundle(place.index(), 0..width).map_err(|e| e.to_string())?;
                Ok(bundle.get(..width).and_then(tile::bundle))
            }
        }
    }
}
