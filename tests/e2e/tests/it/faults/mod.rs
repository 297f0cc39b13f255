//! A host whose object store fails in all the ways that networks and servers know: nothing acknowledged is lost, nothing
//! wrong is restored, and training goes on meanwhile.

mod bare;
mod outage;
mod rot;
mod scene;
mod way;
