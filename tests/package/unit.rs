//! What a unit file says.

use crate::chroot::output;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// A service's unit file.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Its name with `.service`.
    pub(crate) name: String,
    /// Where the file lies.
    pub(crate) path: PathBuf,
    text: String,
}

impl Unit {
    /// Reads the unit file of a service.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            name: name.to_owned(),
            path,
            text,
        })
    }

    /// The value of a directive that stands there once.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn value<'a>(&'a self, directive: &'a str) -> Result<&'a str> {
        self.values(directive)
            .next()
            .with_context(|| format!("{} has no {directive}=", self.name))
    }

    fn values<'a>(&'a self, directive: &'a str) -> impl Iterator<Item = &'a str> {
        self.text
            .lines()
            .filter_map(move |line| line.strip_prefix(directive)?.strip_prefix('='))
    }

    /// The system calls that its filters refuse, as strace takes them. systemd tells what is in a group.
    ///
    /// # Errors
    /// systemd-analyze is not there.
    pub(crate) async fn refused(&self) -> Result<String> {
        let listing = output(Command::new("systemd-analyze").args(["syscall-filter", "--no-pager"])).await?;
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut group = "";
        for line in listing.lines() {
            if line.starts_with('@') {
                group = line;
            } else if line.starts_with("    ") && !line.contains('#') {
                groups.entry(group).or_default().push(line.trim());
            }
        }
        let mut refused = BTreeSet::new();
        expand(&groups, "@known", &mut refused);
        for filter in self.values("SystemCallFilter") {
            let mut calls = BTreeSet::new();
            let (denies, names) = filter.strip_prefix('~').map_or((false, filter), |names| (true, names));
            names.split(' ').for_each(|name| expand(&groups, name, &mut calls));
            if denies {
                refused.extend(calls);
            } else {
                refused.retain(|call| !calls.contains(call));
            }
        }
        // strace skips what this processor does not have when a question mark stands before it.
        let names: Vec<String> = refused.iter().map(|call| format!("?{call}")).collect();
        Ok(names.join(","))
    }
}

fn expand<'a>(groups: &BTreeMap<&'a str, Vec<&'a str>>, name: &'a str, out: &mut BTreeSet<&'a str>) {
    match groups.get(name) {
        Some(members) => members.iter().for_each(|member| expand(groups, member, out)),
        None => {
            out.insert(name);
        }
    }
}
