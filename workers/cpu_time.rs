//! Processor time of the calling thread, for the figures shown beside each transcript.

/// Seconds this thread has spent on a processor; 0 where the kernel does not say.
#[must_use]
pub fn of_this_thread_s() -> f64 {
    // The first number of schedstat is nanoseconds on the processor.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e9
}
