//! The Prometheus registry of the process.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Renders what was counted. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Metrics")
    }
}

impl Metrics {
    /// Installs the registry for this process.
    ///
    /// # Errors
    /// A registry is already installed.
    pub fn install() -> Result<Self, BuildError> {
        let seconds = [
            0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
        ];
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)?
            .install_recorder()
            .map(Self)
    }

    /// A registry that is not the process's own: for tests.
    #[must_use]
    pub fn detached() -> Self {
        Self(PrometheusBuilder::new().build_recorder().handle())
    }

    /// The text exposition format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps histograms small; call about once a minute.
    pub fn tidy(&self) {
        self.0.run_upkeep();
    }
}
