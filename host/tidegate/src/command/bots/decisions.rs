use std::fmt::Write as _;

use tidegate_client::{
    Client,
    api::{Bot, Candidate, Decision},
};

use crate::{
    exit::Failure,
    show::{Out, moment},
};

/// What a bot decided without carrying it out, and where a version beside it differs.
pub(super) async fn run(name: &str, client: &Client, out: Out) -> Result<(), Failure> {
    let (decisions, bot) = (client.decisions(name).await?.items, client.bot(name).await?);
    let value = serde_json::json!({ "decisions": decisions, "candidate": bot.candidate });
    out.value(&value, || text(&decisions, &bot))
}

fn text(decisions: &[Decision], bot: &Bot) -> String {
    let mut text = lines(decisions);
    if let Some(it) = &bot.candidate {
        let _ = writeln!(text, "beside it runs {}", beside(it).join("\n"));
        for difference in &it.differences {
            let _ = write!(text, "now:\n{}", lines(std::slice::from_ref(&difference.now)));
            let _ = write!(text, "candidate:\n{}", lines(std::slice::from_ref(&difference.candidate)));
        }
    }
    if text.is_empty() { "nothing is recorded: it carries out all that it decides\n".to_owned() } else { text }
}

/// How a version beside another compares with it, a fact a line.
pub(super) fn beside(candidate: &Candidate) -> Vec<String> {
    let Candidate { plugin, same, different, failed, .. } = candidate;
    let mut told = vec![format!("{plugin}: {same} events decided alike, {different} not, {failed} failed on")];
    told.extend(candidate.last_failure.iter().map(|failure| format!("its last failure: {failure}")));
    told.extend(candidate.stopped.iter().map(|why| format!("it is not tried any more: {why}")));
    told
}

/// Decisions for people: an event a line, and below it what was asked for and why.
pub(in crate::command) fn lines(decisions: &[Decision]) -> String {
    let mut text = String::new();
    for it in decisions {
        let _ = writeln!(text, "event {} {} {}", it.event, moment(&it.time), it.kind);
        for asked in &it.asked {
            let field = |name: &str| asked.effect.get(name).map(|value| value.to_string().replace('"', ""));
            let field = |name: &str| field(name).unwrap_or_default();
            let place = [field("target"), field("tier")].concat();
            let answer = if asked.accepted { String::new() } else { format!(" -> {}", asked.answer) };
            let (verb, run, step, reason) = (field("verb"), field("run"), field("step"), field("reason"));
            let _ = writeln!(text, "  {verb} {run} step {step} {place}: {reason}{answer}");
        }
        for cancel in &it.cancels {
            let answer = cancel.refused.as_ref().map(|why| format!(" -> {why}")).unwrap_or_default();
            let _ = writeln!(text, "  cancel {}: {}{answer}", cancel.effect, cancel.reason);
        }
        for wake in &it.wakes {
            let at = wake.at.as_deref().map_or("not any more".to_owned(), moment);
            let _ = writeln!(text, "  wake {}: {at}", wake.key);
        }
        for line in &it.log {
            let _ = writeln!(text, "  log {line}");
        }
        if let Some(fault) = &it.fault {
            let _ = writeln!(text, "  failed, and nothing of this counts: {fault}");
        }
    }
    text
}
