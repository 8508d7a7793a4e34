//! When a ComfyUI answers.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::net::client::{self, Client, Proxies};
use crate::net::retry::Patience;
use crate::net::{Answer, Expected, Fetch, Request};
use crate::observer::Silent;
use crate::platform::paths::same_place;

use super::command::Address;

/// Asks one ComfyUI of this machine.
pub struct Asker {
    client: Client,
    address: Address,
}

impl Asker {
    pub fn new(address: &Address) -> Result<Self, client::ClientError> {
        let patience = Patience { attempts: 1, ..Patience::default() };
        // A proxy has nothing to do with this machine.
        let options = client::Options { timeout: Duration::from_secs(30), patience, proxies: Proxies::None };
        Ok(Asker { client: Client::new(options)?, address: address.clone() })
    }

    /// True when the ComfyUI whose folder is `comfyui` answers. Another one that took the port is not it.
    pub fn is_ready(&self, comfyui: &Path) -> bool {
        if self.address.is_encrypted() {
            // Its certificate is known to nobody here; that someone listens must do.
            let addresses = self.address.socket().to_socket_addrs().into_iter().flatten();
            return addresses.into_iter().any(|at| TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_ok());
        }
        let Some(bytes) = self.get("system_stats", 1 << 20) else { return false };
        let Ok(answer) = serde_json::from_slice::<Value>(&bytes) else { return false };
        let script = answer.pointer("/system/argv/0").and_then(Value::as_str);
        // Older versions do not say how they were started.
        answer.get("system").is_some()
            && script.is_none_or(|script| same_place(Path::new(script), &comfyui.join("main.py")))
    }

    /// What it says of its node classes.
    pub fn object_info(&self) -> Option<Vec<u8>> {
        self.get("object_info", super::learning::LARGEST_ANSWER)
    }

    fn get(&self, path: &str, limit: u64) -> Option<Vec<u8>> {
        let request = Request::new(format!("{}/{path}", self.address), Expected::Json, limit);
        match self.client.fetch(&request, &Silent) {
            Ok(Answer::New { bytes, .. }) => Some(bytes),
            _ => None,
        }
    }
}
