use std::{collections::VecDeque, time::Duration};

use hyper::body::Incoming;
use tidegate_api::{Event, Page, Problem};

use crate::{
    Client, Error,
    transport::{Call, Link, Lost, Parser},
};

/// The host says something at least every 15 s; after this much silence the connection is taken for broken.
const SILENCE: Duration = Duration::from_secs(60);

impl Client {
    /// At most `limit` (1 to 1000) events after a place in the journal, in order; waits up to `wait` (at most a minute)
    /// for the first.
    ///
    /// # Errors
    /// The host can't be reached.
    pub async fn events(&self, after: u64, limit: usize, wait: Duration) -> Result<Page<Event>, Error> {
        let call = Call::get(&["v1", "events"]).query("after", after).query("limit", limit);
        self.ask(call.wait(wait, self.options().timeout)).await
    }

    /// All events after a place in the journal, as they come.
    pub fn follow(&self, after: u64) -> EventStream {
        EventStream { client: self.clone(), after, source: None, ready: VecDeque::new() }
    }
}

/// Events as they come, each once and in order, also over a broken connection: the next call of [`EventStream::next`]
/// goes on where it broke.
pub struct EventStream {
    client: Client,
    after: u64,
    source: Option<Source>,
    ready: VecDeque<Event>,
}

struct Source {
    link: Link,
    body: Incoming,
    parser: Parser,
}

impl EventStream {
    /// The place of the last event that was returned, or where the stream was asked to start.
    pub fn position(&self) -> u64 {
        self.after
    }

    /// The next event; waits until there is one.
    ///
    /// # Errors
    /// The host can't be reached, hung up, or failed. The stream can be asked again: it connects anew.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.seq;
                return Ok(event);
            }
            let mut source = match self.source.take() {
                Some(source) => source,
                None => self.connect().await?,
            };
            let lost = |detail: &str| Lost(detail.to_owned());
            let piece = tokio::time::timeout(SILENCE, source.link.piece(&mut source.body)).await;
            let piece = piece.unwrap_or_else(|_| Err(lost("the event stream went silent")));
            let piece = piece.and_then(|piece| piece.ok_or_else(|| lost("the host ended the event stream")));
            let messages = piece.and_then(|piece| source.parser.feed(&piece).map_err(Lost));
            for message in messages.map_err(|lost| self.client.broken(lost))? {
                if message.event == "problem" {
                    let problem = serde_json::from_str::<Problem>(&message.data);
                    let problem = problem.map_err(|error| self.client.strange(error.to_string()))?;
                    return Err(Error::Problem(Box::new(problem)));
                }
                let event = serde_json::from_str(&message.data);
                self.ready.push_back(event.map_err(|error| self.client.strange(error.to_string()))?);
            }
            self.source = Some(source);
        }
    }

    async fn connect(&self) -> Result<Source, Error> {
        let call = Call::get(&["v1", "events", "stream"])
            .header("accept", "text/event-stream".to_owned())
            .header("last-event-id", self.after.to_string())
            .once();
        let timeout = self.client.options().timeout;
        let answer = tokio::time::timeout(timeout, self.client.exchange(&call)).await;
        let timed_out = |_| Error::TimedOut { address: self.client.address().clone(), timeout };
        let (mut link, answer) = answer.map_err(timed_out)??;
        let (parts, body) = answer.into_parts();
        if parts.status.is_success() {
            return Ok(Source { link, body, parser: Parser::default() });
        }
        let body = link.collect(body).await.map_err(|lost| self.client.broken(lost))?;
        Err(self.client.refusal(parts.status, &body))
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream").field("after", &self.after).finish_non_exhaustive()
    }
}
