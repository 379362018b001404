//! Which items of two lists are the same thing: steps, updates of Dependabot, members of a matrix, names.

use super::pins;
use super::values::Value;

/// What becomes of the items of three lists.
#[derive(Debug, Default)]
pub(super) struct Alignment {
    /// Of each of theirs: the base's item and our item that it is.
    pub(super) theirs: Vec<(Option<usize>, Option<usize>)>,
    /// Of each of ours: the base's item and their item that it is.
    pub(super) ours: Vec<(Option<usize>, Option<usize>)>,
    /// Whether we put what all three hold into another order than base and theirs have.
    pub(super) we_reorder: bool,
    /// Whether both sides have a list of words of which none was there before, and not the same one.
    pub(super) both_replace: bool,
}

impl Alignment {
    pub(super) fn of(base: &[Value], ours: &[Value], theirs: &[Value]) -> Self {
        let base_of_ours = align(base, ours, |_| true, |_| false);
        let alone = |pairs: &[Option<usize>]| -> Vec<usize> {
            pairs.iter().enumerate().filter(|(_, pair)| pair.is_none()).map(|(at, _)| at).collect()
        };
        let same = ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(our, their)| our.means(their));
        let words = base.iter().chain(ours).chain(theirs).all(Value::is_scalar);
        let added_by_us = alone(&base_of_ours);
        // What a merge has brought to them before is ours, and nothing of the base that looks like it.
        let has_come = |item: &Value| added_by_us.iter().any(|&our| ours[our].unpinned().means(&item.unpinned()));
        let base_of_theirs = align(base, theirs, |at| base_of_ours.contains(&Some(at)), has_come);
        let added_by_them = alone(&base_of_theirs);
        let pick = |of: &[Value], which: &[usize]| -> Vec<Value> { which.iter().map(|&at| of[at].clone()).collect() };
        let mut ours_of_theirs = vec![None; theirs.len()];
        let both = align_added(&pick(ours, &added_by_us), &pick(theirs, &added_by_them));
        for (at, our) in both.into_iter().enumerate() {
            ours_of_theirs[added_by_them[at]] = our.map(|our| added_by_us[our]);
        }
        for (at, base) in base_of_theirs.iter().enumerate().filter(|(_, base)| base.is_some()) {
            ours_of_theirs[at] = base_of_ours.iter().position(|other| other == base);
        }
        let theirs_of_ours = |at: usize| ours_of_theirs.iter().position(|our| *our == Some(at));
        let ours: Vec<_> = base_of_ours.iter().enumerate().map(|(at, base)| (*base, theirs_of_ours(at))).collect();
        let common: Vec<(usize, usize)> = ours.iter().filter_map(|(base, their)| Some(((*base)?, (*their)?))).collect();
        let falls = |of: fn(&(usize, usize)) -> usize| common.windows(2).any(|pair| of(&pair[0]) > of(&pair[1]));
        let are_new = |pairs: &[Option<usize>]| !pairs.is_empty() && pairs.iter().all(Option::is_none);
        let both_replace = words && are_new(&base_of_ours) && are_new(&base_of_theirs) && !same;
        Self {
            theirs: base_of_theirs.into_iter().zip(ours_of_theirs).collect(),
            ours,
            we_reorder: falls(|pair| pair.0) && falls(|pair| pair.1),
            both_replace,
        }
    }

    /// Where to put what we added: behind the sibling before it that theirs has and keeps, else before the one behind it.
    pub(super) fn anchor(&self, ours: usize) -> Anchor {
        let before = self.ours[..ours].iter().rev().find_map(|(_, their)| *their);
        let behind = || self.ours[ours + 1..].iter().find_map(|(_, their)| *their);
        before.map(Anchor::After).or_else(|| behind().map(Anchor::Before)).unwrap_or(Anchor::End)
    }

    /// Our items that are nowhere else.
    pub(super) fn added(&self) -> impl Iterator<Item = usize> {
        self.ours.iter().enumerate().filter(|(_, pair)| **pair == (None, None)).map(|(at, _)| at)
    }
}

/// Beside which of their items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    After(usize),
    Before(usize),
    End,
}

/// Which of `old` each of `new` is. What is `apart` is found by equality only, and by a mere likeness only what is `kept`:
/// where the other side has it no more, whatever stands in its place is another thing.
fn align(
    old: &[Value],
    new: &[Value],
    kept: impl Fn(usize) -> bool,
    apart: impl Fn(&Value) -> bool,
) -> Vec<Option<usize>> {
    let mut pairs = Pairs::of(old, new);
    pairs.pass(old, new, |one, two| old[one].means(two));
    if old.iter().chain(new).all(Value::is_scalar) {
        return pairs.of_new;
    }
    pairs.set_apart(new, apart);
    let same = |one: &Value, two: &Value, key| identity(one, key).is_some_and(|id| identity(two, key) == Some(id));
    for key in ["id", "name", "package-ecosystem", "run", FIRST] {
        pairs.pass(old, new, |one, two| same(&old[one], two, key));
    }
    // Two ids that differ are two uses of one action.
    let have_ids = |one: &Value, two: &Value| identity(one, "id").is_some() && identity(two, "id").is_some();
    pairs.pass(old, new, |one, two| kept(one) && same(&old[one], two, "uses") && !have_ids(&old[one], two));
    pairs.by_position(old, new, kept);
    pairs.of_new
}

/// How many items of two lists are equal.
pub(super) fn equal(one: &[Value], two: &[Value]) -> usize {
    let mut pairs = Pairs::of(one, two);
    pairs.pass(one, two, |at, other| one[at].means(other));
    pairs.of_new.iter().flatten().count()
}

/// Which items that both sides added are one thing: there is nothing older that would say so, so only names count.
fn align_added(ours: &[Value], theirs: &[Value]) -> Vec<Option<usize>> {
    let mut pairs = Pairs::of(ours, theirs);
    pairs.pass(ours, theirs, |at, their| ours[at].means(their));
    for key in ["id", "name"] {
        pairs.pass(ours, theirs, |at, their| {
            identity(&ours[at], key).is_some_and(|id| identity(their, key) == Some(id))
        });
    }
    pairs.of_new
}

/// The first entry of a mapping of something that we know no name of.
const FIRST: &str = "";

/// What tells an item of a list from its siblings.
fn identity(item: &Value, key: &str) -> Option<String> {
    let is_step = item.get("uses").is_some() || item.get("run").is_some();
    match key {
        FIRST if is_step || item.get("package-ecosystem").is_some() => None,
        FIRST => {
            let (name, value) = item.entries().first()?;
            value.is_scalar().then(|| format!("{name}: {}", value.text()))
        }
        "uses" => item.get(key).map(|uses| pins::without_pin(uses.text()).to_ascii_lowercase()),
        "package-ecosystem" => {
            let place = |key| item.get(key).map(|value| format!("{value:?}")).unwrap_or_default();
            item.get(key).map(|kind| [kind.text().to_owned(), place("directory")].join(" "))
        }
        _ => item.get(key).filter(|value| value.is_scalar()).map(|value| value.text().to_owned()),
    }
}

/// How a person names an item: by its name, its id or its action.
pub(super) fn name_of(item: &Value) -> Option<String> {
    let text = |key| item.get(key).map(|value| format!("{:?}", value.text()));
    text("name")
        .or_else(|| text("id"))
        .or_else(|| item.get("uses").map(|uses| format!("{:?}", pins::without_pin(uses.text()))))
}

struct Pairs {
    of_new: Vec<Option<usize>>,
    /// New ones that are not paired any more.
    apart: Vec<bool>,
    /// Of the old ones.
    taken: Vec<bool>,
}

impl Pairs {
    fn of(old: &[Value], new: &[Value]) -> Self {
        Self { of_new: vec![None; new.len()], apart: vec![false; new.len()], taken: vec![false; old.len()] }
    }

    fn is_free(&self, new: usize) -> bool {
        self.of_new[new].is_none() && !self.apart[new]
    }

    fn set_apart(&mut self, new: &[Value], apart: impl Fn(&Value) -> bool) {
        for (at, item) in new.iter().enumerate() {
            self.apart[at] = self.is_free(at) && apart(item);
        }
    }

    /// Pairs what is still alone; of several that are alike the first with the first.
    fn pass(&mut self, old: &[Value], new: &[Value], same: impl Fn(usize, &Value) -> bool) {
        for (at, item) in new.iter().enumerate() {
            if self.is_free(at) {
                let found = (0..old.len()).find(|&index| !self.taken[index] && same(index, item));
                self.pair(found, at);
            }
        }
    }

    /// The last resort: alone between the same neighbours, and of the same kind.
    fn by_position(&mut self, old: &[Value], new: &[Value], kept: impl Fn(usize) -> bool) {
        for at in (0..new.len()).filter(|&at| self.is_free(at)).collect::<Vec<_>>() {
            let before = if at == 0 { Some(0) } else { self.of_new[at - 1].map(|index| index + 1) };
            let after = if at + 1 == new.len() { Some(old.len()) } else { self.of_new[at + 1] };
            let (Some(index), Some(after)) = (before, after) else { continue };
            let is_kind = |key: &str| old[index].get(key).is_some() == new[at].get(key).is_some();
            if index + 1 == after && !self.taken[index] && kept(index) && is_kind("uses") && is_kind("run") {
                self.pair(Some(index), at);
            }
        }
    }

    fn pair(&mut self, old: Option<usize>, new: usize) {
        if let Some(index) = old {
            self.taken[index] = true;
        }
        self.of_new[new] = old;
    }
}
