//! Server-sent events, as far as Tidegate uses them.

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) event: String,
    pub(crate) data: String,
}

/// Cuts a stream of bytes into messages.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    rest: Vec<u8>,
    message: Message,
}

/// The longest line that is taken.
const LINE_BYTES: usize = 4 << 20;

impl Parser {
    /// Takes the next bytes; answers the messages that they complete.
    ///
    /// # Errors
    /// A line beyond all bounds.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Message>, String> {
        self.rest.extend_from_slice(bytes);
        let mut messages = Vec::new();
        let mut used = 0;
        for line in self.rest.split_inclusive(|byte| *byte == b'\n') {
            let Some(text) = line.strip_suffix(b"\n") else { break };
            used += line.len();
            let text = String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text));
            if text.is_empty() {
                let message = std::mem::take(&mut self.message);
                if !message.data.is_empty() {
                    messages.push(message);
                }
                continue;
            }
            let (field, value) = text.split_once(':').unwrap_or((&text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => self.message.event = value.to_owned(),
                "data" => {
                    if !self.message.data.is_empty() {
                        self.message.data.push('\n');
                    }
                    self.message.data.push_str(value);
                }
                // An id is also in the data; an empty field is a comment, which is how the host says that it is there.
                _ => {}
            }
        }
        self.rest.drain(..used);
        if self.rest.len() > LINE_BYTES {
            Err("a line of the event stream does not end".to_owned())
        } else {
            Ok(messages)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ":\n\nid: 1\nevent: pinned\ndata: {\"seq\":1}\n\n: still here\n\nid: 2\r\nevent:x\r\ndata:a\r\ndata: b\r\n\r\n";

    #[test]
    fn messages_come_out_however_the_bytes_are_cut() {
        let whole = Parser::default().feed(STREAM.as_bytes()).unwrap();
        assert_eq!(whole.len(), 2);
        assert_eq!(whole[0], Message { event: "pinned".into(), data: "{\"seq\":1}".into() });
        assert_eq!(whole[1], Message { event: "x".into(), data: "a\nb".into() });
        for size in 1..STREAM.len() {
            let mut parser = Parser::default();
            let cut: Vec<_> = STREAM.as_bytes().chunks(size).flat_map(|piece| parser.feed(piece).unwrap()).collect();
            assert_eq!(cut, whole, "pieces of {size}");
        }
    }

    #[test]
    fn an_endless_line_is_an_error() {
        assert!(Parser::default().feed(&vec![b'x'; LINE_BYTES + 1]).is_err());
    }
}
