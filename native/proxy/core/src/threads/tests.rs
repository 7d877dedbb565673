use super::*;

#[test]
fn connections_sit_where_there_are_fewest() {
    let (threads, running) = Threads::start(2).unwrap();
    let seats: Vec<Seat> = (0..5).map(|_| threads.seat().1).collect();
    let loads = || threads.threads.iter().map(|thread| thread.load.load(Ordering::Relaxed)).collect::<Vec<u64>>();
    assert_eq!(loads(), [3, 2]);
    drop(seats);
    assert_eq!(loads(), [0, 0]);
    running.close();
}

#[test]
fn close_ends_what_the_threads_do() {
    let (threads, running) = Threads::start(1).unwrap();
    let task = threads.any().spawn(std::future::pending::<()>());
    running.close();
    assert!(task.is_finished());
}
