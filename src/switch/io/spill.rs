//! The journal's spill file: entries that memory has no room for while the database is silent, one
//! JSON line each, read back in order.

use crate::journal::Entry;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use strowger_model::TenantId;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) tenant: TenantId,
    pub(super) entry: Entry,
}

#[derive(Debug)]
pub(super) struct Spill {
    path: PathBuf,
    file: Option<File>,
    lines: usize,
    /// Whether the file ends in the middle of a line: the next one begins on a line of its own.
    cut: bool,
}

impl Spill {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("journal.spill"),
            file: None,
            lines: 0,
            cut: false,
        }
    }

    /// Whether nothing waits in the file.
    pub(super) const fn is_empty(&self) -> bool {
        self.lines == 0
    }

    pub(super) async fn append(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut text = Vec::new();
        if self.cut {
            text.push(b'\n');
        }
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let opened = OpenOptions::new().create(true).append(true).open(&self.path).await?;
                self.file.insert(opened)
            }
        };
        file.write_all(&text).await?;
        file.flush().await?;
        file.sync_data().await?;
        self.cut = false;
        self.lines += lines.len();
        Ok(())
    }

    /// Every whole line in the file. A last line that was cut by a crash is left out.
    pub(super) async fn read(&mut self) -> io::Result<Vec<Line>> {
        self.file = None;
        let text = match tokio::fs::read(&self.path).await {
            Ok(text) => text,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(problem) => return Err(problem),
        };
        self.cut = text.last().is_some_and(|last| *last != b'\n');
        let whole = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines: Vec<Line> = whole.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        self.lines = lines.len();
        Ok(lines)
    }

    /// Forgets everything in it: it was written.
    pub(super) async fn clear(&mut self) -> io::Result<()> {
        self.file = None;
        self.lines = 0;
        self.cut = false;
        match tokio::fs::remove_file(&self.path).await {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => Err(problem),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
