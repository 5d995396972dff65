//! Reads single figures out of what a process answers at `/metrics`. Source: Prometheus' text format 0.0.4.

/// The values of all series of a metric.
pub(crate) fn values<'a>(text: &'a str, metric: &'a str) -> impl Iterator<Item = f64> + 'a {
    text.lines().filter_map(move |line| {
        let rest = line.strip_prefix(metric)?;
        let value = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once("} ")?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_told_from_one_that_begins_like_it() {
        let text = "# HELP lag Messages.\n# TYPE lag gauge\nlag{partition=\"0\"} 3\nlag{partition=\"} 9\"} 4\n\
                    lag_seconds 7\nup 1\n";
        assert_eq!(values(text, "lag").collect::<Vec<_>>(), [3.0, 4.0]);
        assert_eq!(values(text, "lag_seconds").sum::<f64>(), 7.0);
        assert_eq!(values(text, "up").sum::<f64>(), 1.0);
        assert_eq!(values(text, "away").count(), 0);
    }
}
