//! `--chmod`: a number, or what chmod(1) takes.

/// What becomes of the modes of what is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Octal(u32),
    Symbolic(Vec<Clause>),
}

/// `u+rwX`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    who: u32,
    operator: char,
    permissions: String,
}

impl Mode {
    /// # Errors
    /// Names the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777, or a symbolic mode"
            )
        };
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).map_err(|_| wrong())?;
            return if mode <= 0o7777 { Ok(Self::Octal(mode)) } else { Err(wrong()) };
        }
        let clauses = text.split(',').map(|clause| Clause::parse(clause).ok_or_else(wrong));
        let clauses: Vec<Vec<Clause>> = clauses.collect::<Result<_, _>>()?;
        Ok(Self::Symbolic(clauses.concat()))
    }

    #[must_use]
    pub fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        match self {
            Self::Octal(mode) => *mode,
            Self::Symbolic(clauses) => {
                clauses.iter().fold(mode, |mode, clause| clause.apply(mode, is_folder))
            }
        }
    }
}

impl Clause {
    fn parse(text: &str) -> Option<Vec<Self>> {
        let first = text.find(['+', '-', '='])?;
        let (who, mut rest) = text.split_at(first);
        let mut mask = 0;
        for c in who.chars() {
            mask |= match c {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let who = if mask == 0 { 0o777 } else { mask };
        let mut clauses = Vec::new();
        while let Some(operator) = rest.chars().next() {
            let behind = &rest[1..];
            let end = behind.find(['+', '-', '=']).unwrap_or(behind.len());
            let (permissions, next) = behind.split_at(end);
            if !permissions.chars().all(|c| "rwxXstugo".contains(c)) {
                return None;
            }
            clauses.push(Self { who, operator, permissions: permissions.to_owned() });
            rest = next;
        }
        Some(clauses)
    }

    fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        let mut bits = 0;
        for c in self.permissions.chars() {
            bits |= match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if is_folder || mode & 0o111 != 0 => 0o111,
                'u' => spread(mode >> 6),
                'g' => spread(mode >> 3),
                'o' => spread(mode),
                _ => 0,
            };
        }
        let mut bits = bits & self.who;
        if self.permissions.contains('s') {
            bits |= if self.who & 0o700 == 0 { 0 } else { 0o4000 };
            bits |= if self.who & 0o070 == 0 { 0 } else { 0o2000 };
        }
        if self.permissions.contains('t') {
            bits |= 0o1000;
        }
        match self.operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            _ => (mode & !self.who) | bits,
        }
    }
}

/// One digit for user, group and others.
fn spread(digit: u32) -> u32 {
    let digit = digit & 7;
    digit << 6 | digit << 3 | digit
}
