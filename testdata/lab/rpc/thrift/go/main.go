// A server and a client of ../shop.thrift, in the words of Apache's library alone: no code is generated.
//
//	shop server HOST PORT TRANSPORT PROTOCOL SERVICE
//	shop client HOST PORT TRANSPORT PROTOCOL SERVICE KIND COUNT THREADS
//
// TRANSPORT is buffered, framed, header, or header-zlib; PROTOCOL is binary, compact or json (with a
// header no json); SERVICE is the name of the service where several share a connection, - where there
// is one. KIND is `each` for one call of each method, `oneway` for a call that is not answered, or
// `load` for calls of `find` and `total`. The client writes a line of JSON for each call to standard
// output: times are nanoseconds since 1970; `outcome` is ok, exception (that the interface declares)
// or error. Each thread has a connection of its own.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
)

func main() {
	if len(os.Args) < 7 {
		panic("shop server|client HOST PORT TRANSPORT PROTOCOL SERVICE …")
	}
	where := wire{address: net.JoinHostPort(os.Args[2], os.Args[3]), transport: os.Args[4], protocol: os.Args[5], service: os.Args[6]}
	if os.Args[1] == "server" {
		must(where.serve())
		return
	}
	kind, count, threads := os.Args[7], number(os.Args[8]), number(os.Args[9])
	var workers sync.WaitGroup
	for range threads {
		workers.Add(1)
		go func() {
			defer workers.Done()
			where.call(kind, max(count/threads, 1))
		}()
	}
	workers.Wait()
}

func number(text string) int {
	number, err := strconv.Atoi(text)
	must(err)
	return number
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// How messages are put on the wire.
type wire struct{ address, transport, protocol, service string }

func (w wire) factories() (thrift.TTransportFactory, thrift.TProtocolFactory) {
	settings := &thrift.TConfiguration{MaxMessageSize: 1 << 28, MaxFrameSize: 1 << 28}
	if strings.HasPrefix(w.transport, "header") {
		id := thrift.THeaderProtocolBinary
		if w.protocol == "compact" {
			id = thrift.THeaderProtocolCompact
		}
		settings.THeaderProtocolID = &id
		if w.transport == "header-zlib" {
			settings.THeaderTransforms = []thrift.THeaderTransformID{thrift.TransformZlib}
		}
		return thrift.NewTHeaderTransportFactoryConf(nil, settings), thrift.NewTHeaderProtocolFactoryConf(settings)
	}
	var transport thrift.TTransportFactory = thrift.NewTBufferedTransportFactory(8192)
	if w.transport == "framed" {
		transport = thrift.NewTFramedTransportFactoryConf(transport, settings)
	}
	switch w.protocol {
	case "compact":
		return transport, thrift.NewTCompactProtocolFactoryConf(settings)
	case "json":
		return transport, thrift.NewTJSONProtocolFactory()
	}
	return transport, thrift.NewTBinaryProtocolFactoryConf(settings)
}

// Values: what is written is read again by its type.

type item struct {
	name  string
	price int64
}

type missing struct{ reason string }

func (m *missing) Error() string { return m.reason }

// A struct of arguments or of a result: what its fields are is said by functions.
type fields struct {
	write func(ctx context.Context, out thrift.TProtocol) error
	read  func(ctx context.Context, in thrift.TProtocol, id int16, kind thrift.TType) error
}

func (f *fields) Write(ctx context.Context, out thrift.TProtocol) error {
	if err := out.WriteStructBegin(ctx, "fields"); err != nil {
		return err
	}
	if f.write != nil {
		if err := f.write(ctx, out); err != nil {
			return err
		}
	}
	if err := out.WriteFieldStop(ctx); err != nil {
		return err
	}
	return out.WriteStructEnd(ctx)
}

func (f *fields) Read(ctx context.Context, in thrift.TProtocol) error {
	if _, err := in.ReadStructBegin(ctx); err != nil {
		return err
	}
	for {
		_, kind, id, err := in.ReadFieldBegin(ctx)
		if err != nil {
			return err
		}
		if kind == thrift.STOP {
			return in.ReadStructEnd(ctx)
		}
		if f.read != nil {
			err = f.read(ctx, in, id, kind)
		} else {
			err = in.Skip(ctx, kind)
		}
		if err != nil {
			return err
		}
		if err := in.ReadFieldEnd(ctx); err != nil {
			return err
		}
	}
}

func field(ctx context.Context, out thrift.TProtocol, kind thrift.TType, id int16, value func() error) error {
	if err := out.WriteFieldBegin(ctx, "field", kind, id); err != nil {
		return err
	}
	if err := value(); err != nil {
		return err
	}
	return out.WriteFieldEnd(ctx)
}

func text(id int16, value string) func(context.Context, thrift.TProtocol) error {
	return func(ctx context.Context, out thrift.TProtocol) error {
		return field(ctx, out, thrift.STRING, id, func() error { return out.WriteString(ctx, value) })
	}
}

func (i item) fields() *fields {
	return &fields{write: func(ctx context.Context, out thrift.TProtocol) error {
		return errors.Join(
			text(1, i.name)(ctx, out),
			field(ctx, out, thrift.I64, 2, func() error { return out.WriteI64(ctx, i.price) }),
			field(ctx, out, thrift.LIST, 3, func() error {
				return errors.Join(out.WriteListBegin(ctx, thrift.STRING, 2), out.WriteString(ctx, "hot"),
					out.WriteString(ctx, "green"), out.WriteListEnd(ctx))
			}),
			field(ctx, out, thrift.MAP, 4, func() error {
				return errors.Join(out.WriteMapBegin(ctx, thrift.STRING, thrift.I32, 1), out.WriteString(ctx, "north"),
					out.WriteI32(ctx, 3), out.WriteMapEnd(ctx))
			}),
			field(ctx, out, thrift.BOOL, 5, func() error { return out.WriteBool(ctx, i.price > 0) }))
	}}
}

func items(count int) *fields {
	return &fields{write: func(ctx context.Context, out thrift.TProtocol) error {
		return field(ctx, out, thrift.LIST, 1, func() error {
			if err := out.WriteListBegin(ctx, thrift.STRUCT, count); err != nil {
				return err
			}
			for n := range count {
				if err := (item{fmt.Sprint("item ", n), int64(n) * 100}).fields().Write(ctx, out); err != nil {
					return err
				}
			}
			return out.WriteListEnd(ctx)
		})
	}}
}

// The server.

// What a method gives for its argument: a struct of the result, or an error that is not declared.
type method func(argument string, size int32) (*fields, error)

func success(kind thrift.TType, write func(context.Context, thrift.TProtocol) error) *fields {
	return &fields{write: func(ctx context.Context, out thrift.TProtocol) error {
		return field(ctx, out, kind, 0, func() error { return write(ctx, out) })
	}}
}

var methods = map[string]method{
	"find": func(name string, _ int32) (*fields, error) {
		if strings.HasPrefix(name, "no") {
			return &fields{write: func(ctx context.Context, out thrift.TProtocol) error {
				return field(ctx, out, thrift.STRUCT, 1, func() error {
					return (&fields{write: func(ctx context.Context, out thrift.TProtocol) error {
						return errors.Join(
							field(ctx, out, thrift.I32, 1, func() error { return out.WriteI32(ctx, 7) }),
							text(2, "there is no "+name)(ctx, out))
					}}).Write(ctx, out)
				})
			}}, nil
		}
		return success(thrift.STRUCT, func(ctx context.Context, out thrift.TProtocol) error {
			return item{name, 1250}.fields().Write(ctx, out)
		}), nil
	},
	"total": func(string, int32) (*fields, error) {
		return success(thrift.I64, func(ctx context.Context, out thrift.TProtocol) error { return out.WriteI64(ctx, 300) }), nil
	},
	"big": func(_ string, size int32) (*fields, error) {
		return success(thrift.STRING, func(ctx context.Context, out thrift.TProtocol) error {
			return out.WriteBinary(ctx, make([]byte, size))
		}), nil
	},
	"ping": func(string, int32) (*fields, error) { return &fields{}, nil },
	"note": func(string, int32) (*fields, error) { return nil, nil },
	"crash": func(text string, _ int32) (*fields, error) {
		return nil, errors.New("crashed: " + text)
	},
}

type processor struct{}

func (processor) ProcessorMap() map[string]thrift.TProcessorFunction  { return nil }
func (processor) AddToProcessorMap(string, thrift.TProcessorFunction) {}

func (processor) Process(ctx context.Context, in, out thrift.TProtocol) (bool, thrift.TException) {
	name, _, seqid, err := in.ReadMessageBegin(ctx)
	if err != nil {
		return false, thrift.WrapTException(err)
	}
	var argument string
	var size int32
	arguments := fields{read: func(ctx context.Context, in thrift.TProtocol, id int16, kind thrift.TType) (err error) {
		switch {
		case id == 1 && kind == thrift.STRING:
			argument, err = in.ReadString(ctx)
		case id == 1 && kind == thrift.I32:
			size, err = in.ReadI32(ctx)
		default:
			err = in.Skip(ctx, kind)
		}
		return err
	}}
	if err := errors.Join(arguments.Read(ctx, in), in.ReadMessageEnd(ctx)); err != nil {
		return false, thrift.WrapTException(err)
	}
	var result thrift.TStruct
	kind := thrift.REPLY
	what, isThere := methods[name]
	if !isThere {
		kind, result = thrift.EXCEPTION, thrift.NewTApplicationException(thrift.UNKNOWN_METHOD, "Unknown function "+name)
	} else if given, err := what(argument, size); err != nil {
		kind, result = thrift.EXCEPTION, thrift.NewTApplicationException(thrift.INTERNAL_ERROR, "Internal error processing "+name+": "+err.Error())
	} else if given == nil {
		return true, nil
	} else {
		result = given
	}
	err = errors.Join(out.WriteMessageBegin(ctx, name, kind, seqid), result.Write(ctx, out), out.WriteMessageEnd(ctx), out.Flush(ctx))
	return err == nil, thrift.WrapTException(err)
}

func (w wire) serve() error {
	socket, err := thrift.NewTServerSocket(w.address)
	if err != nil {
		return err
	}
	var serves thrift.TProcessor = processor{}
	if w.service != "-" {
		several := thrift.NewTMultiplexedProcessor()
		several.RegisterProcessor(w.service, serves)
		serves = several
	}
	transport, protocol := w.factories()
	return thrift.NewTSimpleServer4(serves, socket, transport, protocol).Serve()
}

// The client.

type client struct {
	thrift.TClient
	service   string
	hasHeader bool
}

var printing sync.Mutex

func (w wire) call(kind string, count int) {
	transports, protocols := w.factories()
	socket := thrift.NewTSocketConf(w.address, &thrift.TConfiguration{SocketTimeout: 20 * time.Second, ConnectTimeout: 5 * time.Second})
	transport, err := transports.GetTransport(socket)
	must(err)
	must(transport.Open())
	defer transport.Close()
	in, out := protocols.GetProtocol(transport), protocols.GetProtocol(transport)
	if strings.HasPrefix(w.transport, "header") {
		out = in
	}
	if w.service != "-" {
		out = thrift.NewTMultiplexedProtocol(out, w.service)
	}
	c := client{thrift.NewTStandardClient(in, out), w.service, strings.HasPrefix(w.transport, "header") && w.service == "-"}
	for n := range count {
		switch kind {
		case "each":
			c.one("ping", &fields{})
			c.one("find", &fields{write: text(1, "tea")})
			c.one("find", &fields{write: text(1, "nothing, über 价格")})
			c.one("total", items(3))
			c.one("crash", &fields{write: text(1, "here")})
			c.one("unknown", &fields{})
			c.one("big", &fields{write: func(ctx context.Context, out thrift.TProtocol) error {
				return field(ctx, out, thrift.I32, 1, func() error { return out.WriteI32(ctx, 300_000) })
			}})
			c.one("ping", &fields{})
		case "oneway":
			c.one("note", &fields{write: text(1, "a note")})
		default:
			if n%2 == 0 {
				c.one("find", &fields{write: text(1, fmt.Sprint("tea-", n))})
			} else {
				c.one("total", items(n%7))
			}
		}
	}
}

func (c *client) one(method string, arguments *fields) {
	ctx := context.Background()
	row := map[string]any{"protocol": "thrift", "method": method, "outcome": "ok"}
	if c.service != "-" {
		row["service"] = c.service
	}
	if c.hasHeader {
		var ids [24]byte
		rand.Read(ids[:])
		trace := fmt.Sprintf("%x", ids[:16])
		ctx = thrift.SetHeader(ctx, "traceparent", fmt.Sprintf("00-%s-%x-01", trace, ids[16:]))
		ctx = thrift.SetWriteHeaderList(ctx, []string{"traceparent"})
		row["trace"] = trace
	}
	var thrown *missing
	result := &fields{read: func(ctx context.Context, in thrift.TProtocol, id int16, kind thrift.TType) error {
		if id == 1 && kind == thrift.STRUCT {
			thrown = &missing{}
			return (&fields{read: func(ctx context.Context, in thrift.TProtocol, id int16, kind thrift.TType) (err error) {
				if id != 2 {
					return in.Skip(ctx, kind)
				}
				thrown.reason, err = in.ReadString(ctx)
				return err
			}}).Read(ctx, in)
		}
		return in.Skip(ctx, kind)
	}}
	var answer thrift.TStruct = result
	if method == "note" {
		// The library sends it as a call all the same.
		answer, row["one_way"] = nil, true
	}
	row["begin"] = time.Now().UnixNano()
	_, err := c.Call(ctx, method, arguments, answer)
	row["end"] = time.Now().UnixNano()
	var failed thrift.TApplicationException
	switch {
	case errors.As(err, &failed):
		row["outcome"], row["code"], row["text"] = "error", failed.TypeId(), failed.Error()
	case err != nil:
		panic(err)
	case thrown != nil:
		row["outcome"], row["text"] = "exception", thrown.reason
	}
	line, err := json.Marshal(row)
	must(err)
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(line))
}
