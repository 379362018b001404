//! What two sides did to the same lines, in the order of the text.

use std::ops::Range;

use diffy::DiffOptions;

/// A stretch of lines, named by the side that it is taken from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Untouched by us, or changed by both to the same.
    Theirs(Range<usize>),
    /// Changed by us alone.
    Ours(Range<usize>),
    /// Changed by both, and not to the same.
    Both { base: Range<usize>, ours: Range<usize>, theirs: Range<usize> },
}

/// One side's change of `old` lines of the base into `new` lines of its own.
struct Change {
    old: Range<usize>,
    new: Range<usize>,
}

/// Everything that one side changed. Between two changes there is an untouched line.
fn changes(base: &[String], side: &[String]) -> Vec<Change> {
    let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let (base, side) = (text(base), text(side));
    let patch = DiffOptions::new().set_context_len(0).create_patch(&base, &side);
    // An empty range names the line behind which it stands, any other one its first line, from 1.
    let range = |start: usize, len: usize| if len == 0 { start..start } else { start - 1..start - 1 + len };
    let hunks = patch.hunks().iter().map(|hunk| {
        let (old, new) = (hunk.old_range(), hunk.new_range());
        Change { old: range(old.start(), old.len()), new: range(new.start(), new.len()) }
    });
    hunks.collect()
}

/// The changes of a side that are not yet accounted for, and how far its lines are ahead of the base's.
struct Side {
    waiting: std::iter::Peekable<std::vec::IntoIter<Change>>,
    /// A line of the base up to which everything is accounted for, and the side's line that belongs to it.
    at: (usize, usize),
}

impl Side {
    fn new(changes: Vec<Change>) -> Self {
        Self { waiting: changes.into_iter().peekable(), at: (0, 0) }
    }

    fn next_start(&mut self) -> Option<usize> {
        self.waiting.peek().map(|change| change.old.start)
    }

    /// The side's line that stands for a line of the base, which no change holds.
    fn line_at(&self, base: usize) -> usize {
        self.at.1 + (base - self.at.0)
    }

    /// Takes the next change when it begins no later than `end`; returns where it ends.
    fn take_up_to(&mut self, end: usize) -> Option<usize> {
        let change = self.waiting.next_if(|change| change.old.start <= end)?;
        self.at = (change.old.end, change.new.end);
        Some(change.old.end)
    }
}

/// What became of every line. Lines that are equal in the slices are the same lines.
pub(super) fn between(base: &[String], ours: &[String], theirs: &[String]) -> Vec<Chunk> {
    let mut our = Side::new(changes(base, ours));
    let mut their = Side::new(changes(base, theirs));
    let mut chunks = Vec::new();
    let mut done = 0;
    while let Some(start) = [our.next_start(), their.next_start()].into_iter().flatten().min() {
        chunks.push(Chunk::Theirs(their.line_at(done)..their.line_at(start)));
        let (our_start, their_start) = (our.line_at(start), their.line_at(start));
        let (mut we, mut they) = (false, false);
        let mut end = start;
        // Changes that touch are one: whether they belong together only a person can tell.
        loop {
            if let Some(further) = our.take_up_to(end) {
                we = true;
                end = end.max(further);
            } else if let Some(further) = their.take_up_to(end) {
                they = true;
                end = end.max(further);
            } else {
                break;
            }
        }
        let (new, there) = (our_start..our.line_at(end), their_start..their.line_at(end));
        done = end;
        chunks.push(match (we, they) {
            (true, false) => Chunk::Ours(new),
            (true, true) if ours[new.clone()] != theirs[there.clone()] => {
                Chunk::Both { base: start..end, ours: new, theirs: there }
            }
            _ => Chunk::Theirs(there),
        });
    }
    chunks.push(Chunk::Theirs(their.line_at(done)..theirs.len()));
    chunks
}
