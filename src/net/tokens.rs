//! Tokens of model hosts, and which requests carry them: those to the host itself, over a connection that nobody reads.
//!
//! Who follows a reference to another host leaves the token behind (`client`); what an address itself holds is not added to.

use reqwest::Url;

/// A host of models that knows its users by a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hub {
    HuggingFace,
    Civitai,
}

impl Hub {
    /// The environment variable that holds its token.
    pub fn variable(self) -> &'static str {
        match self {
            Hub::HuggingFace => "HF_TOKEN",
            Hub::Civitai => "CIVITAI_API_KEY",
        }
    }

    /// Where a person makes one.
    pub fn page(self) -> &'static str {
        match self {
            Hub::HuggingFace => "https://huggingface.co/settings/tokens",
            Hub::Civitai => "https://civitai.com/user/account",
        }
    }
}

/// What is done with a token for one address.
#[derive(Clone, PartialEq, Eq)]
pub enum Use<'a> {
    /// Its host has none.
    NoHub,
    Send(Hub, &'a str),
    /// There is none to be sent.
    Absent(Hub),
    /// The connection could be read by others.
    Withheld(Hub),
    /// The address holds one already.
    InAddress(Hub),
}

impl Use<'_> {
    pub fn token(&self) -> Option<&str> {
        match self {
            Use::Send(_, token) => Some(token),
            _ => None,
        }
    }
}

/// The tokens of a user. They are shown nowhere.
#[derive(Clone, Default)]
pub struct Tokens {
    hugging_face: Option<String>,
    /// Another address that stands in for Hugging Face's (`HF_ENDPOINT`).
    endpoint: Option<Url>,
    civitai: Option<String>,
}

impl Tokens {
    /// Those that the environment names; `named` gives the value of a variable.
    pub fn of(named: impl Fn(&str) -> Option<String>) -> Self {
        let token = |hub: Hub| {
            let token = named(hub.variable())?.trim().to_owned();
            // What no header can hold is no token.
            (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then_some(token)
        };
        Tokens {
            hugging_face: token(Hub::HuggingFace),
            endpoint: named("HF_ENDPOINT").and_then(|text| Url::parse(text.trim()).ok()),
            civitai: token(Hub::Civitai),
        }
    }

    /// What is done for `url`.
    pub fn for_url(&self, url: &str) -> Use<'_> {
        let Ok(url) = Url::parse(url) else { return Use::NoHub };
        let Some(hub) = self.hub(&url) else { return Use::NoHub };
        let token = match hub {
            Hub::HuggingFace => &self.hugging_face,
            Hub::Civitai => &self.civitai,
        };
        let in_address = !url.username().is_empty() || url.query_pairs().any(|(name, _)| name == "token");
        match token {
            _ if in_address => Use::InAddress(hub),
            None => Use::Absent(hub),
            Some(_) if url.scheme() != "https" && !is_this_machine(&url) => Use::Withheld(hub),
            Some(token) => Use::Send(hub, token),
        }
    }

    fn hub(&self, url: &Url) -> Option<Hub> {
        let host = url.host_str().unwrap_or_default();
        match host.strip_prefix("www.").unwrap_or(host) {
            "huggingface.co" => Some(Hub::HuggingFace),
            "civitai.com" | "civitai.red" => Some(Hub::Civitai),
            _ if self.endpoint.as_ref().is_some_and(|endpoint| endpoint.origin() == url.origin()) => {
                Some(Hub::HuggingFace)
            }
            _ => None,
        }
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::of(|name| match name {
            "HF_TOKEN" => Some("hf_hush\n".into()),
            "CIVITAI_API_KEY" => Some("civ_hush".into()),
            "HF_ENDPOINT" => Some("http://127.0.0.1:8000/".into()),
            _ => None,
        })
    }

    #[test]
    fn a_token_is_for_its_host_alone_and_for_a_connection_that_nobody_reads() {
        let tokens = tokens();
        for (url, token) in [
            ("https://huggingface.co/a/b/resolve/main/c", Some("hf_hush")),
            ("https://HuggingFace.co:443/a", Some("hf_hush")),
            ("https://civitai.com/api/download/models/1?type=Model", Some("civ_hush")),
            ("https://www.civitai.com/a", Some("civ_hush")),
            ("https://civitai.red/a", Some("civ_hush")),
            ("http://127.0.0.1:8000/a", Some("hf_hush")),
            ("http://127.0.0.1:8001/a", None),
            ("http://huggingface.co/a", None),
            ("http://civitai.com/a", None),
            ("https://huggingface.co.example.org/a", None),
            ("https://example.org/huggingface.co", None),
            ("https://example.org@huggingface.co/a", None),
            ("https://civitai.com/api/download/models/1?token=other", None),
            ("https://cdn.civitai.com/a", None),
            ("ftp://civitai.com/a", None),
            ("no address", None),
        ] {
            assert_eq!(tokens.for_url(url).token(), token, "{url}");
        }
        assert!(tokens.for_url("http://civitai.com/a") == Use::Withheld(Hub::Civitai));
        assert!(Tokens::default().for_url("https://civitai.com/a") == Use::Absent(Hub::Civitai));
        assert!(tokens.for_url("https://me:pw@civitai.com/a") == Use::InAddress(Hub::Civitai));
    }
}
