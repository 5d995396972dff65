//! From the data of a finished operation to the bytes of its response.

use serde_json::to_writer;

use crate::execute::budget::Passed;
use crate::execute::error::{ClientError, Errors};
use crate::execute::extensions::Extensions;
use crate::execute::state::{Progress, Scope};
use crate::execute::write::{PropagatedNull, Writer};
use crate::host::Telemetry;
use crate::request::GraphResponse;
use crate::shape::{Case, ShapeField};

/// Writes the whole response.
pub(crate) fn write(scope: Scope<'_>, root: &Case, progress: Progress) -> GraphResponse {
    let Progress {
        mut budget,
        store,
        mut errors,
        extensions,
        ..
    } = progress;
    let telemetry = &*scope.host.telemetry;
    if let Some(passed) = budget.passed() {
        return cut(passed, extensions, telemetry);
    }
    let max_bytes = usize::try_from(budget.bytes_max()).unwrap_or(usize::MAX);
    let mut writer = Writer::new(&store, scope.types, Vec::with_capacity(1024), max_bytes);
    writer.out.extend(br#"{"data":"#);
    let start = writer.out.len();
    writer.out.push(b'{');
    let mut written = Ok(());
    for (position, field) in root.fields.iter().enumerate() {
        if position > 0 {
            writer.out.push(b',');
        }
        written = writer.root_field(root, field, &errors.explained);
        if written.is_err() {
            break;
        }
    }
    let had_data = match written {
        Ok(()) => {
            writer.out.push(b'}');
            true
        }
        Err(PropagatedNull) => {
            writer.out.truncate(start);
            writer.out.extend(b"null");
            false
        }
    };
    let written = writer.finish(&mut errors);
    if written.is_too_long
        && let Some(passed) = budget.too_long()
    {
        return cut(passed, extensions, telemetry);
    }
    let mut response = finish(written.out, had_data, errors, extensions, telemetry);
    response.objects = written.objects;
    response
}

/// The response of an execution that ended because its response would be too large.
fn cut(passed: Passed, extensions: Extensions, telemetry: &dyn Telemetry) -> GraphResponse {
    let mut errors = Errors::default();
    errors.add_without_path(&passed.error);
    let out = br#"{"data":null"#.to_vec();
    let mut response = finish(out, false, errors, extensions, telemetry);
    response.objects = passed.objects;
    response
}

/// Whether a root field has a value that the response can hold.
pub(crate) fn can_be_written(
    scope: Scope<'_>,
    root: &Case,
    field: &ShapeField,
    progress: &Progress,
) -> bool {
    if !field.ty.is_non_null() {
        return true;
    }
    let max_bytes = usize::try_from(progress.budget.bytes_max()).unwrap_or(usize::MAX);
    let mut writer = Writer::new(&progress.store, scope.types, Vec::new(), max_bytes);
    writer
        .root_field(root, field, &progress.errors.explained)
        .is_ok()
}

/// The response of a root type without fields: nothing can be asked of it.
pub(crate) fn empty(telemetry: &dyn Telemetry) -> GraphResponse {
    let mut errors = Errors::default();
    errors.add_without_path(&ClientError::internal());
    let out = br#"{"data":null"#.to_vec();
    finish(out, false, errors, Extensions::default(), telemetry)
}

fn finish(
    mut out: Vec<u8>,
    had_data: bool,
    errors: Errors,
    extensions: Extensions,
    telemetry: &dyn Telemetry,
) -> GraphResponse {
    errors.count(telemetry);
    let count = errors.len();
    if count > 0 {
        out.extend(br#","errors":"#);
        to_writer(&mut out, &errors.into_json()).expect("a value is JSON");
    }
    if let Some(extensions) = extensions.into_json() {
        out.extend(br#","extensions":"#);
        to_writer(&mut out, &extensions).expect("a value is JSON");
    }
    out.push(b'}');
    GraphResponse {
        body: out.into(),
        had_data,
        errors: count,
        objects: 0,
    }
}
