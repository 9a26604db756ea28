//! Which states of a log a crash may leave: every one it went through, and which of them were promised.

use super::trial::Trial;
use annals_logs::error::Token;

/// The states of one log since it was opened last, oldest first. None means that there is no such log.
pub(super) struct History<T: Trial> {
    states: Vec<Option<T::Model>>,
    handed: usize,
    durable: usize,
    tokens: Vec<Token>,
    /// Numbers of the states that they cover.
    covers: Vec<usize>,
}

impl<T: Trial> Clone for History<T> {
    fn clone(&self) -> Self {
        let (tokens, covers) = (self.tokens.clone(), self.covers.clone());
        Self { states: self.states.clone(), tokens, covers, ..*self }
    }
}

/// What was promised at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promised {
    handed: usize,
    durable: usize,
    /// The newest token, and the state that it covers.
    token: Option<(Token, usize)>,
}

impl<T: Trial> History<T> {
    /// A log that was seen in this state: that is a promise.
    pub(super) fn new(state: Option<T::Model>) -> Self {
        Self { states: vec![state], handed: 0, durable: 0, tokens: Vec::new(), covers: Vec::new() }
    }

    /// The state after the last operation that was issued.
    pub(super) fn now(&self) -> Option<&T::Model> {
        self.states.last().and_then(Option::as_ref)
    }

    /// All states.
    pub(super) fn states(&self) -> &[Option<T::Model>] {
        &self.states
    }

    /// Number of the newest state.
    pub(super) fn newest(&self) -> usize {
        self.states.len() - 1
    }

    /// An operation is issued that leads to this state.
    pub(super) fn issue(&mut self, state: Option<T::Model>) {
        self.states.push(state);
    }

    /// The newest state survives the process.
    pub(super) fn hand_over(&mut self) {
        self.handed = self.newest();
    }

    /// State number `state` survives the loss of power.
    pub(super) fn make_durable(&mut self, state: usize) {
        self.durable = self.durable.max(state);
        self.handed = self.handed.max(state);
    }

    /// A token that was returned, and the number of the state that it covers.
    pub(super) fn promise(&mut self, token: Token, covers: usize) {
        self.tokens.push(token);
        self.covers.push(covers);
    }

    /// The newest token of those that `counts` accepts by number and value, and the number of the state that it covers.
    pub(super) fn newest_token(&self, counts: impl Fn(usize, &Token) -> bool) -> Option<(Token, usize)> {
        let mut all = self.tokens.iter().zip(&self.covers).enumerate();
        all.rfind(|(number, (token, _))| counts(*number, token)).map(|(_, (token, covers))| (*token, *covers))
    }

    /// The log may be gone: tokens prove nothing any more.
    pub(super) fn forget_tokens(&mut self) {
        self.tokens.clear();
        self.covers.clear();
    }

    /// Tokens that the log's history contains.
    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The log was opened again and is in this state.
    pub(super) fn restart(&mut self, state: Option<T::Model>) {
        let (tokens, known) = (std::mem::take(&mut self.tokens), self.covers.len());
        *self = Self { tokens, covers: vec![0; known], ..Self::new(state) };
    }

    /// Lowest number of a state that may be found; `power` says whether power was lost.
    pub(super) fn bound(&self, power: bool) -> usize {
        if power { self.durable } else { self.handed }
    }

    /// What is promised now.
    pub(super) fn promised(&self) -> Promised {
        let token = self.tokens.iter().copied().zip(self.covers.iter().copied()).next_back();
        Promised { handed: self.handed, durable: self.durable, token }
    }

    /// These states, but no more than that was promised.
    pub(super) fn as_promised(&self, promised: Promised) -> Self {
        let Promised { handed, durable, token } = promised;
        let (tokens, covers) = token.into_iter().unzip();
        Self { states: self.states.clone(), handed, durable, tokens, covers }
    }

    /// Number of a state that a crash may leave and that is this.
    pub(super) fn position(&self, power: bool, found: Option<&T::Model>) -> Option<usize> {
        let bound = self.bound(power);
        self.states[bound..].iter().position(|state| is::<T>(state, found)).map(|at| bound + at)
    }

    /// Whether this is a state from before what was promised.
    pub(super) fn is_older(&self, power: bool, found: Option<&T::Model>) -> bool {
        self.states[..self.bound(power)].iter().any(|state| is::<T>(state, found))
    }

    /// Whether a crash may leave this; the words say what it may leave.
    pub(super) fn check(&self, power: bool, found: Option<&T::Model>) -> Result<(), String> {
        if self.position(power, found).is_some() {
            return Ok(());
        }
        let allowed = &self.states[self.bound(power)..];
        let details = allowed.iter().flatten().filter_map(|state| T::same(found?, state).err());
        let details: Vec<String> = details.collect();
        let what = if power { "loss of power" } else { "death of the process" };
        Err(format!("after the {what} it holds {found:?}; allowed are {allowed:?}; {}", details.join("; ")))
    }
}

fn is<T: Trial>(state: &Option<T::Model>, found: Option<&T::Model>) -> bool {
    match (state, found) {
        (None, None) => true,
        (Some(state), Some(found)) => T::same(found, state).is_ok(),
        _ => false,
    }
}
