//! Stable codes of errors, shared by the REST API, the command line and the documents. A code is never reused.

use serde::Serialize;

macro_rules! codes {
    ($($variant:ident = $number:literal, $status:literal, $title:literal, $hint:literal;)*) => {
        /// A stable code with its HTTP status, its title and what to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum Code {
            $(#[doc = $title] #[serde(rename = $number)] $variant,)*
        }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as people and scripts see it, such as `TG0007`.
            pub fn number(self) -> &'static str {
                match self { $(Self::$variant => $number,)* }
            }

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What happened, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What to do.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)* }
            }
        }
    };
}

codes! {
    Internal = "TG0001", 500, "The host failed", "Look into the host's log; restart it if it does not recover.";
    BadRequest = "TG0002", 400, "The request is not valid", "The detail names the field; see /v1/openapi.json.";
    BadName = "TG0003", 400, "A name or number is out of its bounds", "The detail says the rule.";
    NoSuchRoute = "TG0004", 404, "There is no such resource", "See /v1/openapi.json for what there is.";
    UnknownRun = "TG0005", 404, "The run is not known", "`tidegate status` lists the runs; the name is case-sensitive.";
    UnknownCheckpoint = "TG0006", 404, "The checkpoint is not known", "`tidegate checkpoints RUN` lists those there are.";
    UnknownSave = "TG0007", 404, "The save is not known", "It was committed, aborted or lost with a restart of the host: begin again.";
    OtherBytes = "TG0008", 409, "This rank has committed other bytes for this step", "A committed shard never changes: use another step or run name.";
    OtherWorld = "TG0009", 409, "The step has another world size", "All ranks of one checkpoint must give the same world size.";
    NoSpace = "TG0010", 507, "There is no room", "Free room where the detail says; on the tier prune, enlarge it, or lower `tier.reserve_bytes`.";
    BadFile = "TG0011", 400, "A file of the save can't be committed", "Only plain files and directories with plain names; the detail names it.";
    ChangedFile = "TG0012", 409, "A file changed while it was committed", "Close all files before the commit.";
    EmptySave = "TG0013", 400, "The save has no file", "Write at least one file, or abort.";
    Corrupt = "TG0014", 502, "No tier holds the right bytes", "Restore an older step, or save this one again; `tidegate events` tells what was found corrupt.";
    NotComplete = "TG0015", 409, "The checkpoint is not complete", "Some rank has not committed; `latest` names the newest complete one.";
    TargetExists = "TG0016", 409, "The directory exists already", "Give one that does not exist; the restore makes it.";
    UnknownJob = "TG0017", 404, "The job is not known", "`tidegate jobs` lists those there are.";
    UnknownRestore = "TG0018", 404, "The restore is not known", "Restores are forgotten when they are released or the host restarts.";
    UnknownBot = "TG0019", 404, "The bot is not known", "`tidegate bots` lists those there are.";
    UnknownPlugin = "TG0020", 404, "The plugin is not known", "Upload the component first: `tidegate bots install FILE` does, or POST /v1/plugins.";
    BadComponent = "TG0021", 400, "The component can't be used", "It must be a component of the world `tidegate:bot/policy`; the detail says what is wrong.";
    BadSettings = "TG0022", 400, "The bot refuses its settings", "The detail is the bot's own answer.";
    Refused = "TG0023", 409, "The guard refused it", "The detail names the rule.";
    Ended = "TG0024", 409, "It has ended already", "Nothing is left to do.";
    TooLarge = "TG0025", 413, "The request is too large", "The detail says the bound.";
    ObjectStore = "TG0026", 503, "The object store can't be used now", "The detail is its answer; the host goes on trying.";
    Draining = "TG0027", 503, "The host is stopping", "Try again when it is back.";
    IndexBroken = "TG0028", 503, "The index could not be synced", "The host must be restarted: after a failed sync it takes no more commits.";
    NotLocal = "TG0029", 403, "Only the Unix socket may ask this", "Connect to the socket: over loopback TCP only the host's own user and root may change anything.";
    TooMany = "TG0030", 429, "Too many at once", "Wait until some have ended.";
    Stranger = "TG0031", 403, "The request is not for this host, or comes from a web page", "Over TCP, ask for localhost, 127.0.0.1 or [::1]; web pages of other origins are refused.";
    OtherUser = "TG0032", 403, "It is another user's", "Your own saves and restores are yours to end; for a restore leave `into` out: the host makes a directory that only you can read.";
    NotGranted = "TG0033", 409, "The plugin wants more than is granted", "Grant what the detail names, or install another plugin; `tidegate plugin inspect` shows what one wants.";
    UnknownEvent = "TG0034", 404, "The event is not parked", "`tidegate bots letters BOT` lists those that are.";
    NotMigrated = "TG0035", 409, "The new version did not take over the state", "The detail is what it said; the version before is still at work, with its state as it was.";
    NoCandidate = "TG0036", 409, "The bot has no other version", "`tidegate bots show BOT` tells whether one runs beside it, or is kept to go back to.";
    Busy = "TG0037", 503, "The bot is at work", "Try again in a few seconds.";
    CandidateFailed = "TG0038", 409, "The version beside the bot has failed", "`tidegate bots decisions BOT` shows on what; mend it, or promote it all the same with `--force`.";
    PluginInUse = "TG0039", 409, "The plugin is in use", "The detail says by whom: remove or change those first.";
    StandsAt = "TG0040", 409, "The bot stands at this event", "`tidegate bots resume BOT` lets it try the event again, `tidegate bots skip BOT` lets it go past; then the event can be replayed or dropped.";
    OthersPin = "TG0041", 409, "Only others hold the checkpoint", "`tidegate unpin RUN STEP --by HOLDER` lifts the pin of a holder that the detail names.";
    DamagedPlugin = "TG0042", 500, "The kept component is damaged", "Upload the same file again: `tidegate bots install FILE`, or POST /v1/plugins; bots that wait for it then start.";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_in_order() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
    }
}
