//! The names of headers in, which identifier each holds, or which part of one, out.

/// A header that holds an identifier, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Traceparent,
    ElasticTraceparent,
    Tracestate,
    B3,
    B3Trace,
    B3Span,
    B3Parent,
    B3Sampled,
    B3Flags,
    Jaeger,
    XRay,
    CloudTrace,
    GrpcTraceBin,
    DatadogTrace,
    DatadogParent,
    DatadogPriority,
    DatadogTags,
    NewRelic,
    InstanaTrace,
    InstanaSpan,
    InstanaLevel,
    Sw8,
    Sw6,
    Sw3,
    PinpointTrace,
    PinpointSpan,
    PinpointParent,
    PinpointSampled,
    CatRoot,
    CatParent,
    CatChild,
    SofaTrace,
    SofaPlace,
    SofaList,
    EagleEyeTrace,
    EagleEyePlace,
    Tingyun,
    Cloudwise,
    Dynatrace,
    DotNet,
    XTraceId,
    TraceId,
    RequestId,
    CorrelationId,
}

/// What a header of this name, in any case, holds.
pub(super) fn slot(name: &[u8]) -> Option<Slot> {
    // Few headers pass this, and a comparison of whole names is what costs.
    let candidates: &[(&[u8], Slot)] = match (name.len(), name.first()?.to_ascii_lowercase()) {
        (2, b'b') => &[(b"b3", Slot::B3)],
        (3, b's') => &[(b"sw8", Slot::Sw8), (b"sw6", Slot::Sw6), (b"sw3", Slot::Sw3)],
        (7, b't') => &[(b"traceid", Slot::TraceId)],
        (8, b'n') => &[(b"newrelic", Slot::NewRelic)],
        (9, b'c') => &[(b"cloudwise", Slot::Cloudwise)],
        (9, b's') => &[(b"sofarpcid", Slot::SofaPlace)],
        (9, b'x') => &[(b"x-tingyun", Slot::Tingyun)],
        (10, b'r') => &[(b"request-id", Slot::DotNet)],
        (10, b's') => &[(b"sofa-rpcid", Slot::SofaPlace)],
        (10, b't') => &[(b"tracestate", Slot::Tracestate)],
        (10, b'x') => &[(b"x-b3-flags", Slot::B3Flags), (b"x-trace-id", Slot::XTraceId)],
        (11, b's') => &[(b"sofatraceid", Slot::SofaTrace)],
        (11, b't') => &[(b"traceparent", Slot::Traceparent)],
        (11, b'x') => &[
            (b"x-b3-spanid", Slot::B3Span),
            (b"x-dynatrace", Slot::Dynatrace),
            (b"x-instana-t", Slot::InstanaTrace),
            (b"x-instana-s", Slot::InstanaSpan),
            (b"x-instana-l", Slot::InstanaLevel),
        ],
        (12, b's') => &[(b"sofa-traceid", Slot::SofaTrace)],
        (12, b'x') => &[
            (b"x-request-id", Slot::RequestId),
            (b"x-b3-traceid", Slot::B3Trace),
            (b"x-b3-sampled", Slot::B3Sampled),
        ],
        (13, b'u') => &[(b"uber-trace-id", Slot::Jaeger)],
        (13, b'x') => &[(b"x-cat-root-id", Slot::CatRoot)],
        (14, b'a') => &[(b"awstraceheader", Slot::XRay)],
        (14, b'e') => &[(b"eagleeye-rpcid", Slot::EagleEyePlace)],
        (14, b'g') => &[(b"grpc-trace-bin", Slot::GrpcTraceBin)],
        (14, b'x') => &[(b"x-datadog-tags", Slot::DatadogTags)],
        (15, b'p') => &[(b"pinpoint-spanid", Slot::PinpointSpan)],
        (15, b'x') => &[(b"x-amzn-trace-id", Slot::XRay)],
        (16, b'e') => &[(b"eagleeye-traceid", Slot::EagleEyeTrace)],
        (16, b'p') => &[
            (b"pinpoint-traceid", Slot::PinpointTrace),
            (b"pinpoint-pspanid", Slot::PinpointParent),
            (b"pinpoint-sampled", Slot::PinpointSampled),
        ],
        (16, b'x') => &[(b"x-correlation-id", Slot::CorrelationId)],
        (17, b'_') => &[(b"_catrootmessageid", Slot::CatRoot)],
        (17, b'x') => &[(b"x-b3-parentspanid", Slot::B3Parent)],
        (18, b'_') => &[(b"_catchildmessageid", Slot::CatChild)],
        (18, b'x') => &[(b"x-datadog-trace-id", Slot::DatadogTrace)],
        (19, b'_') => &[(b"_catparentmessageid", Slot::CatParent)],
        (19, b'x') => &[
            (b"x-datadog-parent-id", Slot::DatadogParent),
            (b"x-cat-root-child-id", Slot::CatChild),
        ],
        (20, b'c') => &[(b"cloudwiserequestinfo", Slot::Cloudwise)],
        (20, b'x') => &[(b"x-cat-root-parent-id", Slot::CatParent)],
        (21, b'n') => &[(b"new_rpc_trace_context", Slot::SofaList)],
        (21, b'x') => &[
            (b"x-cloud-trace-context", Slot::CloudTrace),
            (b"x-cat-root-message-id", Slot::CatRoot),
        ],
        (23, b'e') => &[(b"elastic-apm-traceparent", Slot::ElasticTraceparent)],
        (27, b'r') => &[(b"rpc_trace_context.sofarpcid", Slot::SofaPlace)],
        (27, b'x') => &[(b"x-datadog-sampling-priority", Slot::DatadogPriority)],
        (29, b'r') => &[(b"rpc_trace_context.sofatraceid", Slot::SofaTrace)],
        _ => return None,
    };
    let found = candidates.iter().find(|(other, _)| name.eq_ignore_ascii_case(other));
    found.map(|(_, slot)| *slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for name in ["Traceparent", "X-B3-ParentSpanId", "NEW_RPC_TRACE_CONTEXT", "Tracestate"] {
            assert!(slot(name.as_bytes()).is_some(), "{name}");
        }
        assert!(slot(b"").is_none());
        assert!(slot(b"x-request-ix").is_none());
    }
}
