//! Writes every target's seeds below a folder: `seeds FOLDER`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("usage: seeds FOLDER"))?;
    for target in hallmark_fuzz::TARGETS {
        let corpus = Path::new(&folder).join(target.name);
        std::fs::create_dir_all(&corpus)?;
        for (index, seed) in hallmark_fuzz::seeds::of(target.name).iter().enumerate() {
            std::fs::write(corpus.join(format!("seed-{index}")), seed)?;
        }
    }
    Ok(())
}
