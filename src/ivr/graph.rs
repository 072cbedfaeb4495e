//! Questions about the shape of a flow: what can be reached, and what goes round.

use crate::flow::{Flow, Placed};
use std::collections::BTreeMap;

/// The nodes each node leads to, through edges that could not be read as well: whoever drew them
/// meant them.
pub(crate) struct Graph {
    next: Vec<Vec<usize>>,
}

impl Graph {
    pub(crate) fn of(flow: &Flow) -> Self {
        let places: BTreeMap<&str, usize> = flow
            .all()
            .iter()
            .enumerate()
            .map(|(at, placed)| (placed.id.as_str(), at))
            .collect();
        let mut next: Vec<Vec<usize>> = flow
            .all()
            .iter()
            .map(|placed| placed.exits.values().copied().collect())
            .collect();
        for edge in flow.edges() {
            if let (Some(from), Some(to)) = (places.get(edge.source.as_str()), places.get(edge.target.as_str()))
                && let Some(targets) = next.get_mut(*from)
            {
                targets.push(*to);
            }
        }
        Self { next }
    }

    /// For each node whether a path leads to it from one of these, which count as reached.
    pub(crate) fn reached(&self, from: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut reached = vec![false; self.next.len()];
        let mut todo: Vec<usize> = from.into_iter().collect();
        while let Some(at) = todo.pop() {
            if let Some(seen) = reached.get_mut(at)
                && !std::mem::replace(seen, true)
            {
                todo.extend(self.next.get(at).into_iter().flatten());
            }
        }
        reached
    }

    /// The loops that stay among the nodes that pass `within`: each the nodes that reach each other,
    /// in the order they were written.
    pub(crate) fn loops(&self, flow: &Flow, within: impl Fn(&Placed) -> bool) -> Vec<Vec<usize>> {
        let inside: Vec<bool> = flow.all().iter().map(within).collect();
        let kept = |at: &usize| inside.get(*at).copied().unwrap_or(false);
        let keep = |(at, targets): (usize, &Vec<usize>)| match kept(&at) {
            true => targets.iter().copied().filter(kept).collect(),
            false => Vec::new(),
        };
        let inner = Self {
            next: self.next.iter().enumerate().map(keep).collect(),
        };
        let beyond: Vec<Vec<bool>> = inner
            .next
            .iter()
            .map(|targets| inner.reached(targets.iter().copied()))
            .collect();
        let leads = |from: usize, to: usize| {
            beyond
                .get(from)
                .and_then(|reached| reached.get(to))
                .copied()
                .unwrap_or(false)
        };
        let mut loops: Vec<Vec<usize>> = Vec::new();
        for at in 0..inner.next.len() {
            if leads(at, at) && !loops.iter().any(|members| members.contains(&at)) {
                loops.push(
                    (at..inner.next.len())
                        .filter(|other| leads(at, *other) && leads(*other, at))
                        .collect(),
                );
            }
        }
        loops
    }
}
