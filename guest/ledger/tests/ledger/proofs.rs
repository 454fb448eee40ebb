//! Roots and proofs against known trees, against a tree written down plainly, and flipped bit by bit.

use hallmark_ledger::{
    hash::{self, EMPTY, Hash},
    proof::{Consistency, Inclusion, ProofError},
    tree::{self, Frontier, Nodes},
};
use proptest::prelude::*;

/// RFC 6962 section 2.1 as it is written: the tree over some leaves.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY,
        [one] => *one,
        _ => {
            let left = 1 << (leaves.len() - 1).ilog2();
            hash::node(&mth(&leaves[..left]), &mth(&leaves[left..]))
        }
    }
}

struct Plain(Vec<Hash>);

impl Nodes for Plain {
    type Error = std::convert::Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        let start = usize::try_from(index << level).unwrap();
        Ok(mth(&self.0[start..start + (1 << level)]))
    }
}

fn leaves(count: usize) -> Plain {
    Plain((0..count).map(|i| hash::leaf(&i.to_be_bytes())).collect())
}

fn hex32(text: &str) -> Hash {
    Hash(hex::decode(text).unwrap().try_into().unwrap())
}

/// The test tree of the certificate-transparency project: eight leaves, the root at each size, and proofs.
#[test]
fn the_tree_of_certificate_transparency() {
    let entries =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), EMPTY);
    let mut all = Plain(Vec::new());
    for (entry, root) in entries.iter().zip(roots) {
        let leaf = hash::leaf(&hex::decode(entry).unwrap());
        frontier.push(leaf);
        all.0.push(leaf);
        assert_eq!(frontier.root(), hex32(root));
    }
    let path = |hashes: &[&str]| hashes.iter().map(|h| hex32(h)).collect::<Vec<_>>();
    assert_eq!(
        Inclusion::prove(&all, 0, 8).unwrap().unwrap().path,
        path(&[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ])
    );
    assert_eq!(
        Consistency::prove(&all, 6, 8).unwrap().unwrap().path,
        path(&[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ])
    );
}

#[test]
fn every_proof_in_every_small_tree() {
    let all = leaves(41);
    let root = |size: u64| mth(&all.0[..usize::try_from(size).unwrap()]);
    let mut frontier = Frontier::new();
    for size in 0..=40 {
        assert_eq!(frontier.root(), root(size));
        assert_eq!(tree::root_at(&all, size).unwrap(), root(size));
        assert_eq!(tree::frontier_at(&all, size).unwrap(), frontier);
        assert_eq!(Frontier::from_bytes(&frontier.to_bytes()).unwrap(), frontier);
        let json = serde_json::to_string(&frontier).unwrap();
        assert_eq!(serde_json::from_str::<Frontier>(&json).unwrap(), frontier);
        for index in 0..size {
            let proof = Inclusion::prove(&all, index, size).unwrap().unwrap();
            let leaf = &all.0[usize::try_from(index).unwrap()];
            proof.verify(leaf, &root(size)).unwrap();
            for other in 0..size {
                let moved = Inclusion { index: other, ..proof.clone() };
                assert_eq!(moved.verify(leaf, &root(size)).is_ok(), other == index, "{index} {other} {size}");
            }
            assert!(Inclusion { size: size + 1, ..proof }.verify(leaf, &root(size + 1)).is_err());
        }
        for old in 0..=size {
            let proof = Consistency::prove(&all, old, size).unwrap().unwrap();
            proof.verify(&root(old), &root(size)).unwrap();
            if 0 < old && old < size {
                assert!(proof.verify(&root(old), &root(size - 1)).is_err());
                assert!(
                    Consistency { old: old - 1, ..proof }.verify(&root(old - 1), &root(size)).is_err()
                        || old == 1
                );
            }
        }
        assert_eq!(Inclusion::prove(&all, size, size).unwrap(), None);
        assert_eq!(Consistency::prove(&all, size + 1, size).unwrap(), None);
        if size < 40 {
            frontier.push(all.0[usize::try_from(size).unwrap()]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_flipped_bit_of_a_path_is_noticed(size in 2..300_u64, a: u64, b: u64) {
        let all = leaves(usize::try_from(size).unwrap());
        let root = |size: u64| mth(&all.0[..usize::try_from(size).unwrap()]);
        let (index, old) = (a % size, 1 + b % (size - 1));
        let (new_root, old_root) = (root(size), root(old));
        let good = Inclusion::prove(&all, index, size).unwrap().unwrap();
        let leaf = all.0[usize::try_from(index).unwrap()];
        good.verify(&leaf, &new_root).unwrap();
        let consistent = Consistency::prove(&all, old, size).unwrap().unwrap();
        consistent.verify(&old_root, &new_root).unwrap();
        for at in 0..good.path.len() {
            for bit in 0..256 {
                let mut bad = good.clone();
                bad.path[at].0[bit / 8] ^= 1 << (bit % 8);
                let refused = matches!(bad.verify(&leaf, &new_root), Err(ProofError::Root { .. }));
                prop_assert!(refused);
            }
        }
        for at in 0..consistent.path.len() {
            for bit in 0..256 {
                let mut bad = consistent.clone();
                bad.path[at].0[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(bad.verify(&old_root, &new_root).is_err());
            }
        }
        for cut in 0..good.path.len() {
            let bad = Inclusion { path: good.path[..cut].to_vec(), ..good.clone() };
            let refused = matches!(bad.verify(&leaf, &new_root), Err(ProofError::Length { .. }));
            prop_assert!(refused);
        }
        let mut long = good.clone();
        long.path.push(EMPTY);
        let refused = matches!(long.verify(&leaf, &new_root), Err(ProofError::Length { .. }));
        prop_assert!(refused);
        let mut long = consistent.clone();
        long.path.push(EMPTY);
        prop_assert!(long.verify(&old_root, &new_root).is_err());
        for cut in 0..consistent.path.len() {
            let bad = Consistency { path: consistent.path[..cut].to_vec(), ..consistent.clone() };
            prop_assert!(bad.verify(&old_root, &new_root).is_err());
        }
    }

    #[test]
    fn hostile_proofs_do_not_panic(index: u64, size: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let path: Vec<_> = path.into_iter().map(Hash).collect();
        let inclusion = Inclusion { index, size, path: path.clone() };
        prop_assert!(inclusion.verify(&EMPTY, &EMPTY).is_err());
        let consistency = Consistency { old: index, new: size, path };
        prop_assert!(consistency.verify(&Hash([1; 32]), &EMPTY).is_err());
    }
}

#[test]
fn frontiers_that_are_none() {
    assert!(Frontier::from_peaks(3, vec![EMPTY]).is_err());
    assert!(Frontier::from_bytes(&[]).is_err());
    assert!(Frontier::from_bytes(&[0; 9]).is_err());
    assert!(Frontier::from_bytes(&[&1_u64.to_le_bytes()[..], &[0; 64]].concat()).is_err());
    assert!(serde_json::from_str::<Frontier>(r#"{"size":2,"peaks":[]}"#).is_err());
    // One leaf more could not be counted.
    assert!(Frontier::from_peaks(u64::MAX, vec![EMPTY; 64]).is_err());
    assert!(Frontier::from_peaks((1 << 63) + 1, vec![EMPTY; 2]).is_err());
    let mut largest = Frontier::from_peaks(tree::MAX_SIZE, vec![EMPTY]).unwrap();
    largest.push(EMPTY);
    assert_eq!(largest.size(), (1 << 63) + 1);
}
