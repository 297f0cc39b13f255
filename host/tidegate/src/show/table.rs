/// Rows under headings, columns as wide as they need to be.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self(vec![headings.iter().map(|&heading| heading.to_owned()).collect()])
    }

    /// Adds a row. Line ends and other control characters would break the table: they are shown as spaces.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let plain = |cell: String| cell.replace(char::is_control, " ");
        self.0.push(cells.into_iter().map(plain).collect());
    }

    /// The table as text, or this if it has no row.
    pub(crate) fn or(&self, empty: &str) -> String {
        if self.0.len() < 2 {
            return format!("{empty}\n");
        }
        let columns = self.0.first().map_or(0, Vec::len);
        let width =
            |column: usize| self.0.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.0 {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let mut table = Table::new(&["RUN", "WHY"]);
        table.row(["gpt".to_owned(), "two\nlines".to_owned()]);
        table.row(["größer".to_owned(), String::new()]);
        assert_eq!(table.or("nothing"), "RUN     WHY\ngpt     two lines\ngrößer\n");
        assert_eq!(Table::new(&["RUN"]).or("nothing"), "nothing\n");
    }
}
