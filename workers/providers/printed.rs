//! What a command prints, within a time: a vault that hangs must not hang a job.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Why there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unprinted {
    /// It cannot be run, did not succeed, or printed no text.
    Failed,
    /// It did not end in time and was killed, with what it had started.
    Late,
}

/// Runs a command to its end and gives what it printed. Blocks for `patience` at most.
pub(super) fn printed(words: &[String], patience: Duration) -> Result<String, Unprinted> {
    let (program, rest) = words.split_first().ok_or(Unprinted::Failed)?;
    let child = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A group of its own, so that what a shell started goes with it.
        .process_group(0)
        .spawn()
        .map_err(|_| Unprinted::Failed)?;
    let group = format!("-{}", child.id());
    let (done, outcome) = sync_channel(1);
    // Whoever waits reaps it, also after it was killed; nobody listens then.
    let waiter = move || drop(done.send(child.wait_with_output()));
    std::thread::Builder::new()
        .name("key-command".to_owned())
        .spawn(waiter)
        .map_err(|_| Unprinted::Failed)?;
    match outcome.recv_timeout(patience) {
        Ok(Ok(output)) if output.status.success() => String::from_utf8(output.stdout).map_err(|_| Unprinted::Failed),
        Ok(_) | Err(RecvTimeoutError::Disconnected) => Err(Unprinted::Failed),
        Err(RecvTimeoutError::Timeout) => {
            // The group is that of a child nobody has reaped yet: its number is no other's.
            let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
            if !killed.is_ok_and(|status| status.success()) {
                tracing::warn!(%program, "a command that does not end cannot be killed");
            }
            Err(Unprinted::Late)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(words: &[&str], patience: Duration) -> Result<String, Unprinted> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        printed(&words, patience)
    }

    #[test]
    fn what_a_command_prints_is_taken_and_failures_are_named() {
        let minute = Duration::from_secs(60);
        assert_eq!(ask(&["echo", "key"], minute).as_deref(), Ok("key\n"));
        for words in [&["false"][..], &["/no/such/program"], &[]] {
            assert_eq!(ask(words, minute), Err(Unprinted::Failed), "{words:?}");
        }
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        // The shell waits for a child of its own that holds our pipe.
        let script = format!("echo $$ > {}; sleep 600 | cat", file.display());
        // Long enough for a shell to have started on a loaded machine.
        assert_eq!(
            ask(&["sh", "-c", &script], Duration::from_secs(3)),
            Err(Unprinted::Late)
        );
        let pid = std::fs::read_to_string(&file).unwrap();
        let members = || {
            let group = Command::new("pgrep").args(["-g", pid.trim()]).output().unwrap();
            String::from_utf8_lossy(&group.stdout).lines().count()
        };
        let deadline = std::time::Duration::from_secs(20);
        let (_still, never) = sync_channel::<()>(1);
        let mut waited = Duration::ZERO;
        while members() > 0 && waited < deadline {
            let _ = never.recv_timeout(Duration::from_millis(50));
            waited += Duration::from_millis(50);
        }
        assert_eq!(members(), 0, "its group lives on");
    }
}
