//! The versions of the contract that components may be made for, behind one face.

use tidegate_core::Event;
use wasmtime::{
    Store,
    component::{HasSelf, InstancePre, Linker},
};

use crate::{
    bindings::{self, v0_1 as old},
    calls,
    guest::Guest,
    v0_1,
};

/// Which version of the world a component is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    Now,
    V0_1,
}

/// A component with its imports resolved.
#[derive(Clone)]
pub(crate) enum Ready {
    Now(bindings::PolicyPre<Guest>),
    V0_1(old::PolicyPre<Guest>),
}

/// An instance of it.
enum Instance {
    Now(bindings::Policy),
    V0_1(old::Policy),
}

/// What a component's functions answer.
pub(crate) type Said = wasmtime::Result<Result<(), String>>;

/// One of a component's functions, with what it is given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call<'a> {
    Configure { settings: &'a str },
    Handle { event: &'a Event, settings: &'a str },
    Migrate { from: &'a str, settings: &'a str },
}

/// The functions of every version.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    bindings::Policy::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    old::Policy::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl World {
    pub(crate) fn ready(self, pre: InstancePre<Guest>) -> wasmtime::Result<Ready> {
        Ok(match self {
            Self::Now => Ready::Now(bindings::PolicyPre::new(pre)?),
            Self::V0_1 => Ready::V0_1(old::PolicyPre::new(pre)?),
        })
    }
}

impl Ready {
    /// Whether bots of this version are told of such an event.
    pub(crate) fn tells(&self, event: &Event) -> bool {
        match self {
            Self::Now(_) => calls::convert::event(event).is_some(),
            Self::V0_1(_) => v0_1::convert::event(event).is_some(),
        }
    }

    /// One call in a fresh instance.
    pub(crate) fn call(&self, store: &mut Store<Guest>, call: Call<'_>) -> Said {
        if let Call::Migrate { from, settings } = call {
            return self.migrate(store, from, settings);
        }
        let instance = match self {
            Self::Now(pre) => Instance::Now(pre.instantiate(&mut *store)?),
            Self::V0_1(pre) => Instance::V0_1(pre.instantiate(&mut *store)?),
        };
        let untold = || wasmtime::Error::msg("no bot of this version is told of such an event");
        match (instance, call) {
            (Instance::Now(policy), Call::Configure { settings }) => policy.call_configure(store, settings),
            (Instance::V0_1(policy), Call::Configure { settings }) => policy.call_configure(store, settings),
            (Instance::Now(policy), Call::Handle { event, settings }) => {
                policy.call_handle(store, &calls::convert::event(event).ok_or_else(untold)?, settings)
            }
            (Instance::V0_1(policy), Call::Handle { event, settings }) => {
                policy.call_handle(store, &v0_1::convert::event(event).ok_or_else(untold)?, settings)
            }
            (_, Call::Migrate { .. }) => Ok(Ok(())),
        }
    }

    /// The world's only function that a component may lack.
    fn migrate(&self, store: &mut Store<Guest>, from: &str, settings: &str) -> Said {
        let pre = match self {
            Self::Now(pre) => pre.instance_pre(),
            Self::V0_1(_) => return Ok(Ok(())),
        };
        let instance = pre.instantiate(&mut *store)?;
        let migrate = instance.get_typed_func::<(&str, &str), (Result<(), String>,)>(&mut *store, "migrate")?;
        let (said,) = migrate.call(&mut *store, (from, settings))?;
        Ok(said)
    }
}
