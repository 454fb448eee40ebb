//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

const HELP: &str = "Usage: beside_etcd [--rounds N] [--seconds S] [--clients 1,16,256] [--only etcd|committee] [--data DIR] [--mint FILE]

--data DIR   where both keep their logs, in folders of their own that are removed at the end; default: the build's target folder.
             It must be on a disk: fsync on tmpfs is free.
--mint FILE  the program whose `committee run` is a member; default: the one that was built beside this bench";

/// What to run.
#[derive(Debug)]
pub(crate) struct Options {
    /// Rounds that count; one more goes before, to warm up.
    pub(crate) rounds: usize,
    /// How long one system is asked at a time.
    pub(crate) slice: Duration,
    pub(crate) clients: Vec<usize>,
    only: Option<String>,
    pub(crate) data: PathBuf,
    pub(crate) mint: PathBuf,
}

impl Options {
    /// None when help was asked for, or cargo runs all benches as tests.
    pub(crate) fn from_arguments() -> Outcome<Option<Self>> {
        // target/release/deps/beside_etcd-..., and target/release/mint.
        let here = std::env::current_exe()?;
        let deps = here.parent().ok_or("no target folder")?;
        let mut options = Self {
            rounds: 5,
            slice: Duration::from_secs(4),
            clients: vec![1, 16, 256],
            only: None,
            data: deps.to_owned(),
            mint: deps.parent().ok_or("no target folder")?.join("mint"),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
            match argument.as_str() {
                "--rounds" => options.rounds = value()?.parse()?,
                "--seconds" => options.slice = Duration::from_secs_f64(value()?.parse()?),
                "--clients" => {
                    options.clients = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                "--only" => options.only = Some(value()?),
                "--data" => options.data = PathBuf::from(value()?),
                "--mint" => options.mint = PathBuf::from(value()?),
                "--bench" => {}
                "--test" => return Ok(None),
                "--help" => {
                    println!("{HELP}");
                    return Ok(None);
                }
                other => return Err(format!("{other}: no such option; --help lists them").into()),
            }
        }
        if options.rounds == 0 || options.clients.is_empty() || options.clients.contains(&0) {
            return Err("there must be a round and a client".into());
        }
        Ok(Some(options))
    }

    /// Whether this system is to be run.
    pub(crate) fn wants(&self, system: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == system)
    }
}
