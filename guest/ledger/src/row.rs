//! The hashes of one tile with the nodes over them, each made once.

use crate::{hash, hash::Hash, tree};

/// Up to 256 hashes that stand side by side, and the root of every perfect subtree over them: twice the room of the hashes, and a node is
/// looked up where a proof needs it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// By height: the hashes themselves, the nodes over two of them, over four, up to 256.
    heights: [Vec<Hash>; 9],
}

impl Row {
    /// Most hashes.
    pub(crate) const WIDTH: usize = 256;

    /// Of the first 256 of some hashes.
    pub(crate) fn new(hashes: impl IntoIterator<Item = Hash>) -> Self {
        let mut row = Self::default();
        hashes.into_iter().take(Self::WIDTH).for_each(|hash| row.push(hash));
        row
    }

    /// Adds a hash; one that has no room is left out. One node on average.
    pub(crate) fn push(&mut self, hash: Hash) {
        if self.is_full() {
            return;
        }
        let mut subtree = hash;
        for nodes in &mut self.heights {
            nodes.push(subtree);
            let ([.., left, right], 0) = (nodes.as_slice(), nodes.len() % 2) else { return };
            subtree = hash::node(left, right);
        }
    }

    /// The hashes.
    pub(crate) fn hashes(&self) -> &[Hash] {
        let [hashes, ..] = &self.heights;
        hashes
    }

    pub(crate) fn len(&self) -> usize {
        self.hashes().len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= Self::WIDTH
    }

    /// Root over `2^height` hashes, the `index`th such; none where they are not all there.
    pub(crate) fn node(&self, height: usize, index: usize) -> Option<Hash> {
        self.heights.get(height)?.get(index).copied()
    }

    /// Roots of the perfect subtrees that all its hashes make up, largest first.
    pub(crate) fn peaks(&self) -> impl Iterator<Item = Hash> + '_ {
        let here = |(height, nodes): (usize, &'_ Vec<Hash>)| {
            let odd = (self.len() >> height) & 1 == 1;
            nodes.last().copied().filter(|_| odd)
        };
        self.heights.iter().enumerate().rev().filter_map(here)
    }

    /// Root over all its hashes.
    pub(crate) fn root(&self) -> Hash {
        tree::fold(&self.peaks().collect::<Vec<_>>())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn hashes(count: usize) -> Vec<Hash> {
        (0..count).map(|at| Hash::of(at.to_le_bytes())).collect()
    }

    #[test]
    fn nodes_and_roots_are_those_of_the_tree() {
        for count in [0, 1, 2, 3, 7, 8, 100, 255, 256, 300] {
            let hashes = hashes(count);
            let row = Row::new(hashes.iter().copied());
            let kept = &hashes[..count.min(256)];
            assert_eq!(row.hashes(), kept);
            assert_eq!(row.is_full(), count >= 256);
            let mut frontier = tree::Frontier::new();
            kept.iter().for_each(|hash| frontier.push(*hash));
            assert_eq!(row.root(), frontier.root(), "{count}");
            for height in 0..9 {
                let wide: Vec<_> = kept.chunks_exact(1 << height).map(tree::perfect).collect();
                let found: Vec<_> = (0..).map_while(|index| row.node(height, index)).collect();
                assert_eq!(found, wide, "{count} hashes, height {height}");
            }
            assert_eq!(row.node(9, 0), None);
        }
    }
}
