//! What a participant is told of relays: the built-in one first, then the outside ones that stand in for it.

use super::credentials::Secret;
use crate::protocol as wire;

/// Every relay there is, and how to make credentials for it.
#[derive(Debug, Clone)]
pub struct Directory {
    /// URLs of the built-in relay, the cheapest way first: `turn:…?transport=udp`, `…tcp`, `turns:…`.
    pub built_in: Vec<String>,
    /// What the built-in relay checks passwords with.
    pub secret: Secret,
    /// URLs of outside relays and STUN servers.
    pub backups: Vec<String>,
    /// What the outside relays check passwords with; `None`: they are told no credentials.
    pub backup_secret: Option<Secret>,
}

impl Directory {
    /// The servers for a participant, with credentials that open relays for ten minutes.
    #[must_use]
    pub fn for_participant(&self, sid: &str, unix_now: u64) -> Vec<wire::IceServer> {
        let (open, guarded): (Vec<String>, Vec<String>) =
            self.backups.iter().cloned().partition(|url| url.starts_with("stun"));
        let backup_secret = self.backup_secret.as_ref();
        [
            entry(self.built_in.clone(), Some(&self.secret), sid, unix_now),
            entry(guarded, backup_secret, sid, unix_now),
            entry(open, None, sid, unix_now),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn entry(urls: Vec<String>, secret: Option<&Secret>, sid: &str, unix_now: u64) -> Option<wire::IceServer> {
    if urls.is_empty() {
        return None;
    }
    let (username, credential) = secret.map_or_else(Default::default, |secret| {
        let issued = secret.issue(sid, unix_now);
        (issued.username, issued.password)
    });
    Some(wire::IceServer {
        urls,
        username,
        credential,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_relay_comes_first_and_each_secret_stays_with_its_own_servers() {
        let directory = Directory {
            built_in: vec!["turn:a:3478?transport=udp".into()],
            secret: Secret::from_text("ours"),
            backups: vec!["stun:c:3478".into(), "turns:b:443?transport=tcp".into()],
            backup_secret: Some(Secret::from_text("theirs")),
        };
        let servers = directory.for_participant("PA_x", 1000);
        let urls: Vec<&str> = servers.iter().map(|server| server.urls[0].as_str()).collect();
        assert_eq!(
            urls,
            ["turn:a:3478?transport=udp", "turns:b:443?transport=tcp", "stun:c:3478"]
        );
        assert_eq!(servers[0].username, "1600:PA_x");
        assert_eq!(servers[0].credential, Secret::from_text("ours").password("1600:PA_x"));
        assert_eq!(servers[1].credential, Secret::from_text("theirs").password("1600:PA_x"));
        assert!(servers[2].username.is_empty() && servers[2].credential.is_empty());
    }

    #[test]
    fn without_relays_nobody_is_told_of_any() {
        let directory = Directory {
            built_in: vec![],
            secret: Secret::from_text("ours"),
            backups: vec![],
            backup_secret: None,
        };
        assert!(directory.for_participant("PA_x", 1000).is_empty());
    }
}
