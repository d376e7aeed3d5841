//! The headers of one message in, whatever protocol carries them; out go the identifiers in them.

use super::body::form::decoded;
use super::conceal::Concealment;
use super::headers::{Slot, slot};
use super::own::{OwnIds, Place};
use super::{
    Format, TraceContext, b3, cat, cloud_trace, datadog, dotnet, instana, jaeger, newrelic, opaque,
    pinpoint, skywalking, sofa, traceparent, xray,
};
use smallvec::SmallVec;
use std::cell::Cell;

/// Gathers the identifiers of one message from its headers, or from what stands for headers.
#[derive(Clone, Debug, Default)]
pub struct Collector<'b> {
    /// What was found, by header; most messages have few of them, or none.
    values: SmallVec<[(Slot, &'b [u8]); 4]>,
    /// A bit for each header that was found, as all are asked for and few are there.
    seen: u64,
    /// What the user named, if that is anything.
    ids: Option<&'b OwnIds>,
    /// What was found of that, and whether it is secret.
    own: Vec<(Format, Vec<u8>, bool)>,
    /// Known headers that the user calls secret.
    secret: Vec<Slot>,
    /// Whether one of these was looked at.
    touched: Cell<bool>,
}

impl<'b> Collector<'b> {
    /// Knows also what the user named.
    #[must_use]
    pub fn new(ids: &'b OwnIds) -> Self {
        Self { ids: Some(ids).filter(|ids| !ids.is_empty()), ..Self::default() }
    }

    /// Looks at one header, whose name may be in any case; of a repeated one the first counts.
    pub fn header(&mut self, name: &[u8], value: &'b [u8]) {
        if let Some(slot) = slot(name) {
            self.take(slot, value);
            if self.concealment().is_some_and(|concealment| concealment.is_users(name)) {
                self.secret.push(slot);
            }
        }
        let Some(ids) = self.ids else { return };
        for own in ids.headers().iter().filter(|own| name.eq_ignore_ascii_case(&own.name)) {
            match own.format {
                Format::Named(_) => self.take_own(own.format, value.trim_ascii(), own.secret),
                known => {
                    if let Some(slot) = slot(known.name().as_bytes()) {
                        self.take(slot, value);
                        self.secret.extend(own.secret.then_some(slot));
                    }
                }
            }
        }
    }

    /// Looks at a pair in a comment of SQL that the user may have named.
    pub fn sql_pair(&mut self, name: &[u8], value: &[u8]) {
        for field in self.ids.map(OwnIds::fields).unwrap_or_default() {
            if matches!(&field.place, Place::Sql(key) if name.eq_ignore_ascii_case(key)) {
                self.take_own(field.format, value, field.secret);
            }
        }
    }

    /// Looks at the query of an address, if the user named a parameter.
    pub fn query(&mut self, query: &[u8]) {
        let fields = self.ids.map(OwnIds::fields).unwrap_or_default();
        if !fields.iter().any(|field| matches!(field.place, Place::Query(_))) {
            return;
        }
        for pair in query.split(|byte| *byte == b'&') {
            let mut sides = pair.splitn(2, |byte| *byte == b'=');
            let (Some(name), Some(value)) = (sides.next(), sides.next()) else { continue };
            let name = decoded(name);
            for field in fields {
                if matches!(&field.place, Place::Query(wanted) if **wanted == *name) {
                    self.take_own(field.format, &decoded(value), field.secret);
                }
            }
        }
    }

    fn take(&mut self, slot: Slot, value: &'b [u8]) {
        if self.value(slot).is_none() {
            self.values.push((slot, value.trim_ascii()));
            self.seen |= bit(slot);
        }
    }

    fn take_own(&mut self, format: Format, value: &[u8], secret: bool) {
        let same =
            |(other, before, _): &(Format, Vec<u8>, bool)| *other == format && before == value;
        let room = self.own.len() < OWN_LIMIT;
        match self.own.iter_mut().find(|own| same(own)) {
            Some((_, _, before)) => *before |= secret,
            None if room => self.own.push((format, value.to_vec(), secret)),
            None => {}
        }
    }

    fn concealment(&self) -> Option<&'b Concealment> {
        self.ids.and_then(OwnIds::concealment)
    }

    /// Hands out what was found, one identifier a format, in the order of the formats.
    pub fn finish(self, found: &mut dyn FnMut(&TraceContext<'_>)) {
        if !self.values.is_empty() {
            for (format, headers) in FORMATS {
                if self.seen & headers != 0 {
                    self.context(*format, found);
                }
            }
        }
        for (format, value, secret) in &self.own {
            if let (Some(ids), Some(context)) = (self.ids, opaque::parse(*format, value)) {
                ids.tell(&context, *secret, found);
            }
        }
    }

    /// Hands out the identifier in one format.
    fn context(&self, format: Format, found: &mut dyn FnMut(&TraceContext<'_>)) {
        let value = |slot| self.value(slot);
        self.touched.set(false);
        let mut room = Vec::new();
        let context = match format {
            Format::Traceparent => value(Slot::Traceparent)
                .and_then(traceparent::parse)
                .or_else(|| value(Slot::ElasticTraceparent).and_then(traceparent::parse)),
            Format::B3 => self.b3().context(),
            Format::Jaeger => value(Slot::Jaeger).and_then(jaeger::parse),
            Format::XRay => value(Slot::XRay).and_then(xray::parse),
            Format::CloudTrace => value(Slot::CloudTrace).and_then(cloud_trace::parse),
            Format::GrpcTraceBin => value(Slot::GrpcTraceBin).and_then(cloud_trace::parse_binary),
            Format::Datadog => self.datadog().context(),
            Format::NewRelic => value(Slot::NewRelic).and_then(newrelic::parse),
            Format::Instana => value(Slot::InstanaTrace).and_then(|trace| {
                instana::parse(trace, value(Slot::InstanaSpan), value(Slot::InstanaLevel))
            }),
            Format::Sw8 => {
                value(Slot::Sw8).and_then(|value| skywalking::parse(format, value, &mut room))
            }
            Format::Sw6 => {
                value(Slot::Sw6).and_then(|value| skywalking::parse(format, value, &mut room))
            }
            Format::Sw3 => value(Slot::Sw3).and_then(skywalking::parse_sw3),
            Format::Pinpoint => value(Slot::PinpointTrace).and_then(|trace| {
                let [span, parent] = [Slot::PinpointSpan, Slot::PinpointParent].map(value);
                pinpoint::parse(trace, span, parent, value(Slot::PinpointSampled))
            }),
            Format::Cat => value(Slot::CatRoot)
                .and_then(|root| cat::parse(root, value(Slot::CatParent), value(Slot::CatChild))),
            Format::Sofa => self.sofa(),
            Format::EagleEye => value(Slot::EagleEyeTrace)
                .and_then(|trace| sofa::parse(format, trace, value(Slot::EagleEyePlace))),
            Format::Tingyun => value(Slot::Tingyun).and_then(opaque::parse_tingyun),
            Format::DotNet => value(Slot::DotNet).and_then(dotnet::parse),
            Format::Cloudwise => self.opaque(format, Slot::Cloudwise),
            Format::Dynatrace => self.opaque(format, Slot::Dynatrace),
            Format::XTraceId => self.opaque(format, Slot::XTraceId),
            Format::TraceId => self.opaque(format, Slot::TraceId),
            Format::RequestId => self.opaque(format, Slot::RequestId),
            Format::CorrelationId => self.opaque(format, Slot::CorrelationId),
            Format::Named(_) => None,
        };
        let Some(context) = context else { return };
        match self.concealment().filter(|_| self.touched.get()) {
            Some(concealment) => concealment.hide(&context, found),
            None => found(&context),
        }
    }

    fn opaque(&self, format: Format, slot: Slot) -> Option<TraceContext<'b>> {
        self.value(slot).and_then(|value| opaque::parse(format, value))
    }

    fn b3(&self) -> b3::Headers<'b> {
        b3::Headers {
            single: self.value(Slot::B3),
            trace: self.value(Slot::B3Trace),
            span: self.value(Slot::B3Span),
            parent: self.value(Slot::B3Parent),
            sampled: self.value(Slot::B3Sampled),
            flags: self.value(Slot::B3Flags),
        }
    }

    fn datadog(&self) -> datadog::Headers<'b> {
        datadog::Headers {
            trace: self.value(Slot::DatadogTrace),
            parent: self.value(Slot::DatadogParent),
            priority: self.value(Slot::DatadogPriority),
            tags: self.value(Slot::DatadogTags),
            traceparent: self.value(Slot::Traceparent),
            tracestate: self.value(Slot::Tracestate),
        }
    }

    fn sofa(&self) -> Option<TraceContext<'b>> {
        let (mut trace, mut place) = (self.value(Slot::SofaTrace), self.value(Slot::SofaPlace));
        if let (None, Some(list)) = (trace, self.value(Slot::SofaList)) {
            (trace, place) = sofa::of_list(list);
        }
        sofa::parse(Format::Sofa, trace?, place)
    }

    fn value(&self, slot: Slot) -> Option<&'b [u8]> {
        if self.seen & bit(slot) == 0 {
            return None;
        }
        let (_, value) = self.values.iter().find(|(other, _)| *other == slot)?;
        if self.secret.contains(&slot) {
            self.touched.set(true);
        }
        Some(value)
    }
}

const fn bit(slot: Slot) -> u64 {
    1 << (slot as u8)
}

/// The formats in their order, with the headers of which each needs one.
const FORMATS: &[(Format, u64)] = &[
    (Format::Traceparent, bit(Slot::Traceparent) | bit(Slot::ElasticTraceparent)),
    (Format::B3, bit(Slot::B3) | bit(Slot::B3Trace)),
    (Format::Jaeger, bit(Slot::Jaeger)),
    (Format::XRay, bit(Slot::XRay)),
    (Format::CloudTrace, bit(Slot::CloudTrace)),
    (Format::GrpcTraceBin, bit(Slot::GrpcTraceBin)),
    (Format::Datadog, bit(Slot::DatadogTrace) | bit(Slot::Tracestate)),
    (Format::NewRelic, bit(Slot::NewRelic)),
    (Format::Instana, bit(Slot::InstanaTrace)),
    (Format::Sw8, bit(Slot::Sw8)),
    (Format::Sw6, bit(Slot::Sw6)),
    (Format::Sw3, bit(Slot::Sw3)),
    (Format::Pinpoint, bit(Slot::PinpointTrace)),
    (Format::Cat, bit(Slot::CatRoot)),
    (Format::Sofa, bit(Slot::SofaTrace) | bit(Slot::SofaList)),
    (Format::EagleEye, bit(Slot::EagleEyeTrace)),
    (Format::Tingyun, bit(Slot::Tingyun)),
    (Format::Cloudwise, bit(Slot::Cloudwise)),
    (Format::Dynatrace, bit(Slot::Dynatrace)),
    (Format::DotNet, bit(Slot::DotNet)),
    (Format::XTraceId, bit(Slot::XTraceId)),
    (Format::TraceId, bit(Slot::TraceId)),
    (Format::RequestId, bit(Slot::RequestId)),
    (Format::CorrelationId, bit(Slot::CorrelationId)),
];

/// Identifiers of the user's that are taken from one message.
const OWN_LIMIT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], expected: &[(Format, &str)]) {
        let mut collector = Collector::default();
        for (name, value) in headers {
            collector.header(name.as_bytes(), value.as_bytes());
        }
        let mut found = Vec::new();
        collector.finish(&mut |context| {
            found.push((context.format, String::from_utf8_lossy(context.text).into_owned()));
        });
        let expected: Vec<_> =
            expected.iter().map(|(format, text)| (*format, (*text).to_owned())).collect();
        assert_eq!(found, expected, "{headers:?}");
    }

    #[test]
    fn one_identifier_a_format_comes_out_in_a_fixed_order() {
        check(
            &[
                ("X-Request-Id", "r1"),
                ("Accept", "*/*"),
                ("B3", "64fe8b2a57d3eff7-e457b5a2e4d86bd1"),
                ("TraceParent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ],
            &[
                (Format::Traceparent, "0af7651916cd43dd8448eb211c80319c"),
                (Format::B3, "64fe8b2a57d3eff7"),
                (Format::RequestId, "r1"),
            ],
        );
    }

    #[test]
    fn tracestate_alone_may_hold_an_identifier() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        check(
            &[("traceparent", parent), ("tracestate", "dd=s:1;p:00f067aa0ba902b7")],
            &[
                (Format::Traceparent, "0af7651916cd43dd8448eb211c80319c"),
                (Format::Datadog, "0af7651916cd43dd8448eb211c80319c"),
            ],
        );
    }

    #[test]
    fn every_format_has_its_place() {
        assert!(FORMATS.iter().map(|(format, _)| *format).eq(Format::KNOWN.iter().copied()));
    }

    #[test]
    fn b3_headers_are_gathered_in_any_case_and_order() {
        check(
            &[
                ("x-b3-spanid", "e457b5a2e4d86bd1"),
                ("X-B3-TRACEID", " 64fe8b2a57d3eff7 "),
                ("X-B3-ParentSpanId", "05e3ac9a4f6e3b90"),
                ("X-B3-Sampled", "1"),
                ("X-B3-Flags", "0"),
            ],
            &[(Format::B3, "64fe8b2a57d3eff7")],
        );
    }

    #[test]
    fn names_of_the_same_length_are_told_apart() {
        check(&[("x-request-ix", "r"), ("x-b3-tracaid", "64fe8b2a57d3eff7"), ("c3", "0")], &[]);
    }

    #[test]
    fn of_a_repeated_header_the_first_counts() {
        check(&[("x-request-id", "a"), ("x-request-id", "b")], &[(Format::RequestId, "a")]);
    }

    #[test]
    fn invalid_values_give_nothing() {
        check(&[("traceparent", "00-zz"), ("b3", "0"), ("x-request-id", "")], &[]);
    }

    /// Whether headers hold an identifier of this format and no other one.
    fn only(format: Format, headers: &[(&str, &str)]) {
        let mut collector = Collector::default();
        for (name, value) in headers {
            collector.header(name.as_bytes(), value.as_bytes());
        }
        let mut found = Vec::new();
        collector.finish(&mut |context| found.push(context.format));
        assert_eq!(found, [format], "{headers:?}");
    }

    #[test]
    fn each_format_has_its_headers() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        only(Format::Traceparent, &[("Elastic-Apm-Traceparent", parent)]);
        only(Format::Traceparent, &[("traceparent", "00-"), ("elastic-apm-traceparent", parent)]);
        only(Format::Jaeger, &[("uber-trace-id", "a:b:0:1")]);
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        only(Format::XRay, &[("X-Amzn-Trace-Id", root)]);
        only(Format::XRay, &[("AWSTraceHeader", root)]);
        let cloud = "105445aa7843bc8bf206b12000100000/1;o=1";
        only(Format::CloudTrace, &[("X-Cloud-Trace-Context", cloud)]);
        only(
            Format::GrpcTraceBin,
            &[("grpc-trace-bin", "AAABAgMEBQYHCAkKCwwNDg8QARESExQVFhcYAgE")],
        );
        only(
            Format::Datadog,
            &[
                ("x-datadog-trace-id", "1"),
                ("x-datadog-parent-id", "2"),
                ("x-datadog-sampling-priority", "1"),
                ("x-datadog-tags", "_dd.p.tid=640cfd8d00000000"),
            ],
        );
        only(Format::NewRelic, &[("newrelic", r#"{"d":{"tr":"3221bf09aa0bcf0d"}}"#)]);
        only(Format::Instana, &[("X-INSTANA-T", "1"), ("X-INSTANA-S", "2"), ("X-INSTANA-L", "1")]);
        let sw8 = "1-N2E=-N2I=-3-c2VydmljZQ==-aW5zdGFuY2U=-L2FwcA==-MTI3LjAuMC4xOjgwODA=";
        only(Format::Sw8, &[("sw8", sw8)]);
        only(Format::Sw6, &[("sw6", "1-MS4x-MS4y-3-5-2-IzE=-Izg=-Izk=")]);
        only(Format::Sw3, &[("sw3", "1.234.111|3|1|1|#a|#b|#c|1.2343.234234234|1")]);
        only(
            Format::Pinpoint,
            &[
                ("Pinpoint-TraceID", "a^1^2"),
                ("Pinpoint-SpanID", "-1"),
                ("Pinpoint-pSpanID", "7"),
                ("Pinpoint-Sampled", "s0"),
            ],
        );
        let id = "web-0a010203-450000-1";
        only(Format::Cat, &[("X-CAT-ROOT-MESSAGE-ID", id), ("X-CAT-ROOT-PARENT-ID", id)]);
        only(Format::Cat, &[("_catRootMessageId", id), ("_catChildMessageId", id)]);
        only(Format::Cat, &[("X-CAT-ROOT-ID", id)]);
        let trace = "0ad1348f1403169275002100356696";
        only(Format::Sofa, &[("SOFA-TraceId", trace), ("SOFA-RpcId", "0.1")]);
        only(Format::Sofa, &[("rpc_trace_context.sofaTraceId", trace)]);
        let list = "sofaTraceId=0ad1348f1403169275002100356696&sofaRpcId=0";
        only(Format::Sofa, &[("new_rpc_trace_context", list)]);
        only(Format::EagleEye, &[("EagleEye-TraceID", trace), ("EagleEye-RpcID", "0.1")]);
        only(Format::Tingyun, &[("X-Tingyun", "c=1|x;x=fa6e")]);
        only(Format::Cloudwise, &[("CLOUDWISE", "a")]);
        only(Format::Dynatrace, &[("X-dynaTrace", "FW4;1;2;3")]);
        only(Format::DotNet, &[("Request-Id", "|a.1.")]);
        only(Format::XTraceId, &[("X-Trace-Id", "a")]);
        only(Format::TraceId, &[("TraceId", "a")]);
        only(Format::CorrelationId, &[("X-Correlation-ID", "a")]);
    }

    #[test]
    fn baggage_and_state_are_no_ids() {
        check(&[("baggage", "id=1"), ("tracestate", "a=1"), ("x-b3-sampled", "1")], &[]);
    }

    #[test]
    fn headers_of_the_users_are_read() {
        let mut ids = OwnIds::default();
        for words in ["X-Txn", "shop=X-Shop", "X-Old:b3", "X-Shop"] {
            ids.add_header(words).unwrap();
        }
        let mut collector = Collector::new(&ids);
        collector.header(b"x-txn", b" 7 ");
        collector.header(b"X-SHOP", b"s");
        collector.header(b"x-shop", b"s");
        collector.header(b"x-old", b"64fe8b2a57d3eff7-e457b5a2e4d86bd1");
        let mut found = Vec::new();
        collector.finish(&mut |context| {
            found.push((context.format.name(), context.text.escape_ascii().to_string()));
        });
        let found: Vec<_> = found.iter().map(|(format, text)| (*format, text.as_str())).collect();
        assert_eq!(
            found,
            [("b3", "64fe8b2a57d3eff7"), ("x-txn", "7"), ("shop", "s"), ("x-shop", "s")]
        );
    }

    #[test]
    fn parameters_and_comments_of_the_users_are_read() {
        let mut ids = OwnIds::default();
        for words in ["query:txn", "sql:txn_id", "c=sql:traceparent"] {
            ids.add_field(words).unwrap();
        }
        let mut collector = Collector::new(&ids);
        collector.query(b"a=1&txn=a%20b&b&txn=2&txn=a+b&txn=");
        collector.sql_pair(b"TXN_ID", b"7");
        collector.sql_pair(b"traceparent", b"x");
        collector.sql_pair(b"txn", b"8");
        let mut found = Vec::new();
        collector.finish(&mut |context| {
            found.push(format!("{}={}", context.format.name(), context.text.escape_ascii()));
        });
        assert_eq!(found, ["id=a b", "id=2", "id=7", "c=x"]);
    }
}
