//! dev-services.
