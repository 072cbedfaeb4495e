//! Everything about somebody as one ZIP file, given out piece by piece: nothing of it touches the disk.

use crate::{Error, Result, Scope};
use std::collections::VecDeque;
use strowger_model::CallId;

/// A file of the archive.
#[derive(Debug)]
pub(super) enum File {
    /// Bytes that are there.
    Ready(String, Vec<u8>),
    /// A sealed blob, opened when its turn comes.
    Blob(String, String),
    /// The signalling of a call, where some is kept.
    Signalling(String, CallId),
}

/// An archive that is being given out.
#[derive(Debug)]
pub struct Archive {
    scope: Scope,
    files: VecDeque<File>,
    zip: Option<Zip>,
}

impl Archive {
    pub(super) fn new(scope: Scope, files: Vec<File>) -> Self {
        Self {
            scope,
            files: files.into(),
            zip: Some(Zip::default()),
        }
    }

    /// The next piece; `None` at the end. Audio that was erased in the meantime is left out.
    ///
    /// # Errors
    /// The archive becomes larger than four gigabytes, or something cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        while let Some(file) = self.files.pop_front() {
            let (name, bytes) = match file {
                File::Ready(name, bytes) => (name, bytes),
                File::Blob(name, blob) => {
                    if self.scope.blobs().size(&blob).await?.is_none() {
                        continue;
                    }
                    (name, self.scope.blobs().get(&blob).await?)
                }
                File::Signalling(name, call) => match self.scope.signalling().file(call).await? {
                    Some(file) => (name, file),
                    None => continue,
                },
            };
            let piece = self.zip.as_mut().and_then(|zip| zip.file(&name, &bytes));
            return piece.map(Some).ok_or_else(|| Error::State {
                what: "the archive",
                state: "larger than four gigabytes".to_owned(),
                wish: "be written",
            });
        }
        Ok(self.zip.take().and_then(Zip::end))
    }

    /// The whole archive at once.
    ///
    /// # Errors
    /// As [`Archive::next`].
    pub async fn whole(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next().await? {
            bytes.extend(piece);
        }
        Ok(bytes)
    }
}

/// What was written of a ZIP file (APPNOTE 6.3.3) whose files are stored as they are: audio is compressed already.
#[derive(Debug, Default)]
struct Zip {
    directory: Vec<u8>,
    offset: u32,
    count: u16,
}

/// UTF-8 names.
const FLAGS: u16 = 1 << 11;
/// 1 January 1980: an archive does not say when it was made, its content does.
const DATE: u16 = (1 << 5) | 1;

impl Zip {
    /// The next file; `None` when the archive has no room for it.
    fn file(&mut self, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let size = u32::try_from(bytes.len()).ok()?;
        let name_length = u16::try_from(name.len()).ok()?;
        // Version, flags, stored, time, date, sum, both sizes, length of the name, none of extra fields.
        let mut about = Vec::new();
        for half in [20, FLAGS, 0, 0, DATE] {
            about.extend(half.to_le_bytes());
        }
        for word in [crc.sum(), size, size] {
            about.extend(word.to_le_bytes());
        }
        about.extend(name_length.to_le_bytes());
        about.extend(0_u16.to_le_bytes());

        self.directory.extend(b"PK\x01\x02\x14\x00");
        self.directory.extend(&about);
        // No comment, first disk, no attributes.
        self.directory.extend([0; 10]);
        self.directory.extend(self.offset.to_le_bytes());
        self.directory.extend(name.as_bytes());

        let mut piece = b"PK\x03\x04".to_vec();
        piece.extend(&about);
        piece.extend(name.as_bytes());
        piece.extend(bytes);
        self.offset = self.offset.checked_add(u32::try_from(piece.len()).ok()?)?;
        self.count = self.count.checked_add(1)?;
        Some(piece)
    }

    fn end(self) -> Option<Vec<u8>> {
        let size = u32::try_from(self.directory.len()).ok()?;
        let mut piece = self.directory;
        piece.extend(b"PK\x05\x06\0\0\0\0");
        piece.extend(self.count.to_le_bytes());
        piece.extend(self.count.to_le_bytes());
        piece.extend(size.to_le_bytes());
        piece.extend(self.offset.to_le_bytes());
        piece.extend(0_u16.to_le_bytes());
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_read_by_the_tools_that_people_have() {
        let mut zip = Zip::default();
        let mut bytes = zip.file("calls.json", b"{\"a\": 1}").unwrap();
        bytes.extend(zip.file("audio/ä.ogg", &[7; 100_000]).unwrap());
        bytes.extend(zip.end().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.zip");
        std::fs::write(&path, bytes).unwrap();
        let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; \
                      print([(i.filename, i.file_size) for i in z.infolist()])";
        let output = std::process::Command::new("python3")
            .args(["-c", script])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.trim(), "[('calls.json', 8), ('audio/ä.ogg', 100000)]", "{failed}");
    }
}
