//! Where requests end, and what answers them. No I/O: every peer shares it, so that a
//! difference between two of them is never a difference in parsing.

/// WORKLOAD_RESPONSE of workload.h; a test compares them.
pub const RESPONSE: &[u8; 114] = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\
    Content-Type: text/plain\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nHello, world";

/// Bytes to read at once.
pub const CHUNK: usize = 16 * 1024;

/// A head is four bytes at least, so a chunk ends this many at most.
const MOST: usize = CHUNK / 4 + 1;

/// Read-only memory, shared with the file: pages that nobody asks for cost nothing.
static ANSWERS: [[u8; RESPONSE.len()]; MOST] = [*RESPONSE; MOST];

/// The answers to so many requests, ready for one write.
pub fn answers(heads: usize) -> &'static [u8] {
    ANSWERS[..heads].as_flattened()
}

const END: &[u8; 4] = b"\r\n\r\n";

/// Counts the heads that end in a stream of bytes. One for each connection.
#[derive(Default)]
pub struct Heads {
    tail: [u8; 3], // the last bytes of a head that is not complete
    tail_len: usize,
}

impl Heads {
    /// How many heads end in `bytes`, the next `CHUNK` bytes or fewer of the stream.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        let (mut heads, mut rest) = (0, bytes);
        if self.tail_len > 0 {
            // The end may lie across the border: look at three bytes on both sides.
            let mut border = [0; 6];
            let after = rest.len().min(3);
            border[..self.tail_len].copy_from_slice(&self.tail[..self.tail_len]);
            border[self.tail_len..][..after].copy_from_slice(&rest[..after]);
            let border = &border[..self.tail_len + after];
            if let Some(end) = end_of_head(border) {
                rest = &rest[end - self.tail_len..];
                heads = 1;
            } else if rest.len() < 3 {
                self.keep_tail(border);
                return 0;
            }
        }
        while let Some(end) = end_of_head(rest) {
            heads += 1;
            rest = &rest[end..];
        }
        self.keep_tail(rest);
        heads
    }

    fn keep_tail(&mut self, unfinished: &[u8]) {
        let tail = &unfinished[unfinished.len().saturating_sub(3)..];
        self.tail_len = tail.len();
        self.tail[..tail.len()].copy_from_slice(tail);
    }
}

/// Where the first head in `bytes` ends.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let (start, len) = (bytes.as_ptr(), bytes.len());
    let found = unsafe { libc::memmem(start.cast(), len, END.as_ptr().cast(), END.len()) };
    (!found.is_null()).then(|| found as usize - start as usize + END.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a #define: its string literals, and those of the names in it.
    fn define(header: &str, name: &str) -> String {
        let joined = header.replace("\\\n", " ");
        let start = format!("#define {name} ");
        let line = joined.lines().find_map(|l| l.strip_prefix(&start)).unwrap();
        let mut text = String::new();
        for (i, part) in line.split('"').enumerate() {
            if i % 2 == 1 {
                text += &part.replace("\\r", "\r").replace("\\n", "\n");
            } else {
                part.split_whitespace()
                    .for_each(|n| text += &define(header, n));
            }
        }
        text
    }

    #[test]
    fn response_is_that_of_workload_h() {
        let header = include_str!("../../../workload.h");
        let response = define(header, "WORKLOAD_RESPONSE");
        assert_eq!(response.as_bytes(), RESPONSE);
        assert_eq!(answers(3), response.repeat(3).as_bytes());
        assert_eq!(answers(0), b"");
        let request = define(header, "WORKLOAD_REQUEST");
        assert_eq!(Heads::default().feed(request.as_bytes()), 1);
    }

    #[test]
    fn heads_end_wherever_the_stream_is_cut() {
        let stream =
            b"GET / HTTP/1.1\r\nA: b\r\n\r\nGET /hello HTTP/1.1\r\n\r\n\r\r\n\r\n\r\n\r\nx\r\n";
        let whole = Heads::default().feed(stream);
        assert_eq!(whole, 4);
        for a in 0..=stream.len() {
            for b in a..=stream.len() {
                let mut heads = Heads::default();
                let count = heads.feed(&stream[..a]) + heads.feed(&stream[a..b]);
                assert_eq!(
                    count + heads.feed(&stream[b..]),
                    whole,
                    "cut at {a} and {b}"
                );
            }
        }
        let mut heads = Heads::default();
        assert_eq!(
            stream.iter().map(|b| heads.feed(&[*b])).sum::<usize>(),
            whole
        );
        assert_eq!(Heads::default().feed(&END.repeat(CHUNK / 4)), CHUNK / 4);
    }
}
