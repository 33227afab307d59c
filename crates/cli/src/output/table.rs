//! Columns of text, aligned as Go's tabwriter aligns them with the settings Docker uses.

/// A column is at least this wide, padding included.
const NARROWEST: usize = 10;
const PADDING: usize = 3;

/// Aligns cells that end with a tab. What follows the last tab of a line belongs to no column, and a
/// column ends at the first line that has no cell for it.
pub(crate) fn align(text: &str) -> String {
    align_wide(text, NARROWEST)
}

/// As [`align`], with columns at least `narrowest` wide.
pub(crate) fn align_wide(text: &str, narrowest: usize) -> String {
    let trailing_newline = text.ends_with('\n');
    let lines: Vec<Vec<&str>> = text
        .strip_suffix('\n')
        .unwrap_or(text)
        .split('\n')
        .map(|line| line.split('\t').collect())
        .collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len() - 1]).collect();
    column_widths(&lines, &mut widths, narrowest, 0, 0..lines.len());
    let mut out = String::with_capacity(text.len() * 2);
    for (number, (cells, widths)) in lines.iter().zip(&widths).enumerate() {
        if number > 0 {
            out.push('\n');
        }
        for (column, cell) in cells.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths.get(column) {
                out.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
            }
        }
    }
    if trailing_newline {
        out.push('\n');
    }
    out
}

/// Sets the width of `column` for every run of lines in `within` that has it, then of the next ones.
fn column_widths(
    lines: &[Vec<&str>],
    widths: &mut [Vec<usize>],
    narrowest: usize,
    column: usize,
    within: std::ops::Range<usize>,
) {
    let has = |line: usize| lines[line].len() > column + 1;
    let mut start = within.start;
    while start < within.end {
        if !has(start) {
            start += 1;
            continue;
        }
        let end = (start..within.end).find(|line| !has(*line)).unwrap_or(within.end);
        let longest =
            lines[start..end].iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
        let width = (longest + PADDING).max(narrowest);
        widths[start..end].iter_mut().for_each(|line| line[column] = width);
        column_widths(lines, widths, narrowest, column + 1, start..end);
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_a_least_width_and_the_last_is_free() {
        let table = align("ID\tNAMES\tX\n0123456789ab\té\tlast one is long\n");
        assert_eq!(
            table,
            "ID             NAMES     X\n0123456789ab   é         last one is long\n"
        );
    }

    #[test]
    fn a_column_ends_where_a_line_lacks_it() {
        assert_eq!(
            align("a\tb\nplain\nlonger than ten\tb\n"),
            "a         b\nplain\nlonger than ten   b\n"
        );
    }
}
