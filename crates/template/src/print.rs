//! Go's package fmt: `Sprint`, `Sprintln`, `Sprintf`.

use super::quote;
use super::value::{Data, Shape, Value};
use super::verbs::{Flags, number, text};

/// A larger width or precision is refused by Go.
const WIDEST: i128 = 1_000_000;

/// Operands after one another; a space between two of which neither is a string.
pub(super) fn sprint(args: &[Value]) -> String {
    let mut out = String::new();
    for (index, arg) in args.iter().enumerate() {
        let spaced = |value: &Value| !matches!(value.data, Data::Text(_));
        if index > 0 && spaced(arg) && spaced(&args[index - 1]) {
            out.push(' ');
        }
        argument(&mut out, arg, 'v', Flags::default());
    }
    out
}

/// Operands with spaces between them, and a newline.
pub(super) fn sprintln(args: &[Value]) -> String {
    let mut out = String::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        argument(&mut out, arg, 'v', Flags::default());
    }
    out.push('\n');
    out
}

/// By a format. What is wrong with it is told within the result, as Go does; an error is a result that is too long.
pub(super) fn sprintf(format: &str, args: &[Value]) -> Result<String, String> {
    let mut printf = Printf { rest: format, args, next: 0, reordered: false, out: String::new() };
    while let Some(at) = printf.rest.find('%') {
        printf.out.push_str(&printf.rest[..at]);
        printf.rest = &printf.rest[at + 1..];
        printf.directive();
        if printf.out.len() > super::execute::LONGEST {
            return Err("the result is too long".to_owned());
        }
    }
    let Printf { rest, next, reordered, mut out, .. } = printf;
    out.push_str(rest);
    if !reordered && next < args.len() {
        let shown = |arg: &Value| match arg.data {
            Data::Missing => "<nil>".to_owned(),
            _ => format!("{}={}", arg.kind, sprint(std::slice::from_ref(arg))),
        };
        let extra: Vec<String> = args[next..].iter().map(shown).collect();
        out += &format!("%!(EXTRA {})", extra.join(", "));
    }
    Ok(out)
}

struct Printf<'a> {
    rest: &'a str,
    args: &'a [Value],
    next: usize,
    reordered: bool,
    out: String,
}

impl Printf<'_> {
    fn directive(&mut self) {
        let mut flags = self.flags();
        let mut good = self.argument_number();
        flags.width = self.size(&mut good);
        if let Some(width) = flags.width.filter(|width| *width < 0) {
            flags.minus = true;
            flags.zero = false;
            flags.width = Some(-width);
        }
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            good &= self.argument_number();
            flags.precision = self.size(&mut good).or(Some(0)).filter(|precision| *precision >= 0);
        }
        good &= self.argument_number();
        let Some(verb) = self.rest.chars().next() else {
            self.out.push_str("%!(NOVERB)");
            return;
        };
        self.rest = &self.rest[verb.len_utf8()..];
        match self.args.get(self.next) {
            _ if verb == '%' => self.out.push('%'),
            _ if !good => self.out += &format!("%!{verb}(BADINDEX)"),
            None => self.out += &format!("%!{verb}(MISSING)"),
            Some(arg) => {
                self.next += 1;
                argument(&mut self.out, arg, verb, flags);
            }
        }
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(c) = self.rest.chars().next() {
            match c {
                '#' => flags.sharp = true,
                '0' => flags.zero = true,
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                ' ' => flags.space = true,
                _ => break,
            }
            self.rest = &self.rest[1..];
        }
        flags.zero &= !flags.minus;
        flags
    }

    /// `[n]`: which argument comes next. False where there is no such one.
    fn argument_number(&mut self) -> bool {
        let Some(inside) = self.rest.strip_prefix('[') else { return true };
        self.reordered = true;
        let Some((number, rest)) = inside.split_once(']') else {
            self.rest = inside;
            return false;
        };
        self.rest = rest;
        let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match index.filter(|index| *index < self.args.len()) {
            Some(index) => {
                self.next = index;
                true
            }
            None => false,
        }
    }

    /// A width or a precision: digits, or `*` for the next argument.
    fn size(&mut self, good: &mut bool) -> Option<i128> {
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            let size = match self.args.get(self.next).map(|arg| &arg.data) {
                Some(Data::Int(size)) if size.abs() <= WIDEST => Some(*size),
                _ => None,
            };
            self.next += 1;
            if size.is_none() {
                self.out.push_str("%!(BADWIDTH)");
            }
            *good &= self.argument_number();
            return size;
        }
        let digits = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (size, rest) = self.rest.split_at(digits);
        self.rest = rest;
        size.parse().ok().filter(|size| *size <= WIDEST)
    }
}

fn argument(out: &mut String, arg: &Value, verb: char, flags: Flags) {
    match (&arg.data, verb) {
        (Data::Missing, 'T' | 'v') => text(out, "<nil>", 's', flags),
        (_, 'T') => text(out, &arg.kind.to_string(), 's', flags),
        (Data::Pointer(_) | Data::Nil, 'p') => out.push_str("0xc000000000"),
        _ => value(out, arg, verb, flags, 0),
    }
}

fn value(out: &mut String, value: &Value, verb: char, flags: Flags, depth: usize) {
    if !(verb == 'v' && flags.sharp)
        && let Some(own) = value.own_text()
        && "vsxXq".contains(verb)
    {
        return text(out, &own, if verb == 'v' { 's' } else { verb }, flags);
    }
    let formatted = match &value.data {
        Data::Missing => {
            if verb == 'v' {
                out.push_str("<nil>");
            }
            verb == 'v'
        }
        Data::Bool(shown) => {
            let valid = matches!(verb, 't' | 'v');
            if valid {
                text(out, if *shown { "true" } else { "false" }, 's', flags);
            }
            valid
        }
        Data::Int(whole) => number::integer(out, *whole, verb, flags),
        Data::Float(float) => number::float(out, *float, verb, flags),
        Data::Text(shown) => match verb {
            'v' => {
                text(
                    out,
                    shown,
                    if flags.sharp { 'q' } else { 's' },
                    Flags { sharp: false, ..flags },
                );
                true
            }
            's' | 'x' | 'X' | 'q' => {
                text(out, shown, verb, flags);
                true
            }
            _ => false,
        },
        _ => {
            composite(out, value, verb, flags, depth);
            true
        }
    };
    if !formatted {
        bad_verb(out, value, verb);
    }
}

fn bad_verb(out: &mut String, value: &Value, verb: char) {
    let shown = match value.data {
        Data::Missing => "<nil>".to_owned(),
        _ => format!("{}={}", value.kind, sprint(std::slice::from_ref(value))),
    };
    *out += &format!("%!{verb}({shown})");
}

fn composite(out: &mut String, whole: &Value, verb: char, flags: Flags, depth: usize) {
    let go_syntax = verb == 'v' && flags.sharp;
    let inside = |out: &mut String, item: &Value| {
        if item.is_missing() && verb == 'v' {
            out.push_str("<nil>");
        } else {
            value(out, item, verb, flags, depth + 1);
        }
    };
    if go_syntax && !matches!(whole.kind.shape, Shape::Pointer(_)) {
        out.push_str(&whole.kind.to_string());
    }
    let (open, close) = match whole.data {
        Data::List(_) if !go_syntax => ('[', ']'),
        Data::Map(_) if !go_syntax => {
            out.push_str("map");
            ('[', ']')
        }
        _ => ('{', '}'),
    };
    let separator = if go_syntax { ", " } else { " " };
    match &whole.data {
        Data::Nil => nil(out, whole, verb, go_syntax),
        Data::Pointer(to) if depth == 0 && is_composite(to) => {
            out.push('&');
            value(out, to, verb, flags, depth + 1);
        }
        // Where something is in memory is nobody's business.
        Data::Pointer(_) => out.push_str("0xc000000000"),
        Data::List(items) => {
            out.push(open);
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { separator } else { "" });
                inside(out, item);
            }
            out.push(close);
        }
        Data::Map(map) => {
            out.push(open);
            for (index, (key, item)) in map.iter().enumerate() {
                out.push_str(if index > 0 { separator } else { "" });
                value(out, &Value::from(&**key), verb, flags, depth + 1);
                out.push(':');
                inside(out, item);
            }
            out.push(close);
        }
        Data::Struct(values) => {
            let Shape::Struct(fields) = &whole.kind.shape else { return };
            out.push(open);
            for (index, (field, item)) in fields.iter().zip(values.iter()).enumerate() {
                out.push_str(if index > 0 { separator } else { "" });
                if flags.plus || go_syntax {
                    *out += &format!("{}:", field.name);
                }
                inside(out, item);
            }
            out.push(close);
        }
        Data::Row(row) => *out += &format!("{row:?}"),
        _ => {}
    }
}

fn is_composite(value: &Value) -> bool {
    matches!(value.data, Data::List(_) | Data::Map(_) | Data::Struct(_))
}

fn nil(out: &mut String, whole: &Value, verb: char, go_syntax: bool) {
    match (&whole.kind.shape, verb) {
        (Shape::Pointer(_), 'v') if go_syntax => *out += &format!("({})(nil)", whole.kind),
        (Shape::Pointer(_), 'v') => out.push_str("<nil>"),
        (Shape::Pointer(_), _) => bad_verb(out, whole, verb),
        _ if go_syntax => out.push_str("(nil)"),
        (Shape::Map(_), _) => out.push_str("map[]"),
        _ => out.push_str("[]"),
    }
}

impl Value {
    /// What a type's own `String` method answers.
    fn own_text(&self) -> Option<String> {
        let named = self.behind_pointers();
        match (named.kind.name.as_deref()?, &named.data) {
            ("units.Ulimit", Data::Struct(fields)) => {
                let [name, hard, soft] = &**fields else { return None };
                Some(format!(
                    "{}={}:{}",
                    sprint(std::slice::from_ref(name)),
                    sprint(std::slice::from_ref(soft)),
                    sprint(std::slice::from_ref(hard))
                ))
            }
            ("time.Time", Data::Text(time)) => {
                let time: jiff::Timestamp = time.parse().ok()?;
                let shown =
                    time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.f %z %Z");
                Some(shown.to_string())
            }
            _ => None,
        }
    }
}

/// A character as `%c` shows it.
pub(super) fn character(code: i128) -> char {
    u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// As `%q` and `%U` show a whole number.
pub(super) fn rune(code: i128, verb: char, sharp: bool) -> String {
    let c = character(code);
    match verb {
        'q' => quote::quote_char(c),
        _ if sharp => quote::code_point(c),
        _ => format!("U+{code:04X}"),
    }
}
