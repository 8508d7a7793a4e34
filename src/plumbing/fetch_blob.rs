//! `fetch-blob`: files of hosts into the store.

use std::io;

use serde::Serialize;

use crate::digest::{ContentHash, Sha256};
use crate::models::sources;
use crate::net::address::{shown, without_secrets};
use crate::net::blob::{Blob, BlobError, Fetching};
use crate::net::tokens::Tokens;
use crate::net::{Client, client};
use crate::object::ObjectId;
use crate::ui::program::Command;
use crate::ui::{Exit, Failure, Session};

const EXAMPLES: &str = "\
Examples:
  comfrey fetch-blob https://huggingface.co/OWNER/REPO/resolve/main/model.safetensors
  comfrey fetch-blob --hash sha256:HEX https://civitai.com/api/download/models/128713
  comfrey fetch-blob --hash HEX https://one.example/a.safetensors https://two.example/a.safetensors
  comfrey cat-object -p \"$(comfrey fetch-blob URL)\" > file

HF_TOKEN and CIVITAI_API_KEY hold the tokens for those hosts; each is sent to its host alone.
A download that was broken off goes on where it was when the same command is run again.";

/// Downloads files into the store, and prints the id of each, a line a file, in the order given.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct FetchBlob {
    /// The file must have this hash: 64 digits are its id (BLAKE3), sha256:HEX is what model hosts give. All URLs are places of
    /// this one file, asked in turn until one gives it
    #[arg(long, value_name = "HASH")]
    hash: Option<ContentHash>,
    /// Print the SHA-256 too, after the id
    #[arg(long)]
    sha256: bool,
    /// Where the files are: https:// or http://
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
}

/// A line of the result.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// Without secrets; absent where no host was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    size: u64,
    id: ObjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Sha256>,
    already_there: bool,
    /// Bytes that came over the network now.
    fetched: u64,
}

impl Command for FetchBlob {
    fn run(self, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let urls = self.urls.iter().map(|text| url(text)).collect::<Result<Vec<_>, _>>()?;
        let store = session.store()?;
        let http = Client::new(client::Options::default())?;
        let tokens = Tokens::of(|name| std::env::var(name).ok());
        let fetching =
            Fetching { store: &store, http: &http, tokens: &tokens, sha256: self.sha256, observer: session.observer };
        match &self.hash {
            Some(hash) => self.one_of(&urls, hash, &fetching, session),
            None => self.each_of(&urls, &fetching, session),
        }
    }
}

impl FetchBlob {
    /// One file, from the first URL that gives it.
    fn one_of(
        &self,
        urls: &[String],
        hash: &ContentHash,
        fetching: &Fetching<'_>,
        session: &mut Session<'_>,
    ) -> Result<Exit, Failure> {
        if let Some(blob) = fetching.had(hash)? {
            self.print(None, &blob, session)?;
            return Ok(Exit::Done);
        }
        let mut exit = Exit::Done;
        for url in urls {
            match fetching.fetch(url, Some(hash)) {
                Ok(blob) => {
                    self.print(Some(url), &blob, session)?;
                    return Ok(Exit::Done);
                }
                Err(error) => exit = self.next_after(error, session)?,
            }
        }
        Ok(exit)
    }

    /// A file a URL.
    fn each_of(&self, urls: &[String], fetching: &Fetching<'_>, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let mut exit = Exit::Done;
        for url in urls {
            match fetching.fetch(url, None) {
                Ok(blob) => self.print(Some(url), &blob, session)?,
                Err(error) => exit = self.next_after(error, session)?,
            }
        }
        Ok(exit)
    }

    /// Says what went wrong with one address, and which exit code that makes. What would go wrong with all ends the work.
    fn next_after(&self, error: BlobError, session: &mut Session<'_>) -> Result<Exit, Failure> {
        let goes_on = error.is_of_this_address();
        let failure = Failure::from(error);
        if !goes_on {
            return Err(failure);
        }
        session.complain(&failure)?;
        Ok(failure.exit)
    }

    /// Each line is shown as soon as its blob is safe.
    fn print(&self, url: Option<&String>, blob: &Blob, session: &mut Session<'_>) -> Result<(), Failure> {
        let sha256 = blob.sha256.filter(|_| self.sha256 || matches!(self.hash, Some(ContentHash::Sha256(_))));
        if session.globals.json {
            let url = url.map(|url| without_secrets(url));
            let Blob { id, size, was_there, fetched, .. } = *blob;
            session.print_json(&Line { url: url.as_deref(), size, id, sha256, already_there: was_there, fetched })?;
        } else {
            match sha256.filter(|_| self.sha256) {
                Some(sha256) => writeln!(session.out, "{} {sha256}", blob.id)?,
                None => writeln!(session.out, "{}", blob.id)?,
            }
        }
        session.out.flush().map_err(io::Error::into)
    }
}

fn url(text: &str) -> Result<String, Failure> {
    sources::url(text).map_err(|_| {
        Failure::new(Exit::Usage, format!("`{}` is no URL", shown(text)))
            .hint("one beginning with https:// or http:// and a host is wanted")
    })
}
