//! One request: guarded, then answered by the router.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response},
    response::IntoResponse,
};
use tidegate_core::Code;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::http::{Failure, Peer, check_origin};

/// What answers requests. Cheap to clone; all clones know of the same work.
#[derive(Clone)]
pub(crate) struct Answers {
    router: Router,
    work: TaskTracker,
}

impl Answers {
    pub(crate) fn new(router: Router) -> Self {
        Self { router, work: TaskTracker::new() }
    }

    /// Answers a request. One that may change something runs to its end also when nobody waits for the answer any more:
    /// a handler that is dropped when its client goes would leave half of its work done.
    pub(crate) async fn answer(&self, peer: Peer, mut request: Request<Body>) -> Response<Body> {
        if let Err(refusal) = check_origin(peer, request.headers()) {
            return refusal.into_response();
        }
        if let Err(refusal) = peer.check(request.method()).await {
            return refusal.into_response();
        }
        request.extensions_mut().insert(peer);
        let only_looks = matches!(*request.method(), Method::GET | Method::HEAD);
        let answer = self.router.clone().oneshot(request);
        if only_looks {
            return answer.await.into_response();
        }
        match self.work.spawn(answer).await {
            Ok(answer) => answer.into_response(),
            Err(error) => {
                tracing::error!(%error, "a handler broke");
                Failure::new(Code::Internal, "the request was not carried out, or only in part").into_response()
            }
        }
    }

    /// Waits until all that was begun has ended. Call it when no request can come any more.
    pub(crate) async fn settled(&self) {
        self.work.close();
        self.work.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, http::StatusCode, routing};

    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_a_problem_and_the_next_request_is_answered() {
        async fn panics() {
            panic!("out of order");
        }
        let answers = Answers::new(Router::new().route("/", routing::post(panics).delete(|| async { "gone" })));
        let request = |method| Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        let answer = answers.answer(Peer::Unix(None), request(Method::POST)).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let problem: tidegate_api::Problem =
            serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 16).await.unwrap()).unwrap();
        assert_eq!((problem.code.as_str(), problem.status), ("TG0001", 500));
        let answer = answers.answer(Peer::Unix(None), request(Method::DELETE)).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
}
