use crate::exit::Failure;

/// Print the OpenAPI 3.1 document of the REST API; needs no host
#[derive(Debug, clap::Args)]
pub(crate) struct Args;

pub(crate) fn run(Args: Args) -> Result<(), Failure> {
    crate::show::print(&tidegate_server::document())
}
