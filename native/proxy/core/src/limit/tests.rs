use super::*;

#[test]
fn a_pod_at_its_limit_is_refused_until_a_connection_ends() {
    let gauge = Gauge::default();
    let first = gauge.take(2);
    let second = gauge.take(2);
    assert!(first.is_some() && second.is_some() && gauge.take(2).is_none());
    drop(first);
    assert!(gauge.take(2).is_some());
}
