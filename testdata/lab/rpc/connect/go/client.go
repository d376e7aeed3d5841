package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Step is a line of the plan: calls that are alike. What it means stands beside the plan.
type Step struct {
	Method  string `json:"method"`
	Order   Order  `json:"order"`
	Times   int    `json:"times"`
	At      int    `json:"at"`
	Fill    int    `json:"fill"`
	Gzip    bool   `json:"gzip"`
	Timeout int    `json:"timeout"`
	Cancel  int    `json:"cancel"`
	Stop    int    `json:"stop"`
	Wait    int    `json:"wait"`
}

// Row is what the log says of a call, as ../../compare.py wants it.
type Row struct {
	Begin    int64  `json:"begin"`
	End      int64  `json:"end"`
	Protocol string `json:"protocol"`
	Service  string `json:"service"`
	Method   string `json:"method"`
	ID       string `json:"id"`
	Status   string `json:"status"`
	Code     int    `json:"code"`
	Text     string `json:"text,omitempty"`
	Unary    bool   `json:"unary"`
	Packed   bool   `json:"packed,omitempty"`
	Sent     int    `json:"sent"`
	Received int    `json:"received"`
	GaveUp   bool   `json:"gave_up,omitempty"`
	Timeout  int    `json:"timeout,omitempty"`
}

var names = []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
	"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

// Way is a protocol, and whether the client takes what is compressed.
type Way struct {
	protocol string
	options  []connect.ClientOption
	takes    bool
}

// What is compressed is taken by default.
var plain = connect.WithAcceptCompression("gzip", nil, nil)

var ways = []Way{
	{"connect", []connect.ClientOption{plain}, false},
	{"connect", []connect.ClientOption{connect.WithProtoJSON(), connect.WithHTTPGet(),
		connect.WithHTTPGetMaxURLSize(4096, true)}, true},
	{"grpc-web", []connect.ClientOption{connect.WithGRPCWeb(), plain}, false},
	{"grpc-web", []connect.ClientOption{connect.WithGRPCWeb(), connect.WithProtoJSON()}, true},
	{"grpc", []connect.ClientOption{connect.WithGRPC()}, true},
}

func call(address string, isTwo bool, plan, log string) error {
	said, err := os.ReadFile(plan)
	if err != nil {
		return err
	}
	var steps []Step
	if err = json.Unmarshal(said, &steps); err != nil {
		return fmt.Errorf("%s: %w", plan, err)
	}
	file, err := os.Create(log)
	if err != nil {
		return err
	}
	writer := json.NewEncoder(file)
	writer.SetEscapeHTML(false)
	transport := &http.Transport{Protocols: new(http.Protocols), MaxIdleConnsPerHost: 64}
	transport.Protocols.SetHTTP1(!isTwo)
	transport.Protocols.SetUnencryptedHTTP2(isTwo)
	var lock sync.Mutex
	for _, way := range ways {
		// gRPC needs HTTP/2, and so do both sides that send at a time.
		if way.protocol == "grpc" && !isTwo {
			continue
		}
		clients := Clients{way, transport, "http://" + address + "/" + service + "/"}
		for _, step := range steps {
			pause(step.Wait)
			if step.Method == "" || (step.Method == "Chat" && !isTwo) {
				continue
			}
			var all sync.WaitGroup
			free := make(chan struct{}, max(step.At, 1))
			for range max(step.Times, 1) {
				free <- struct{}{}
				all.Go(func() {
					row := clients.one(step)
					<-free
					lock.Lock()
					defer lock.Unlock()
					if err := writer.Encode(row); err != nil {
						panic(err)
					}
				})
			}
			all.Wait()
		}
	}
	return file.Close()
}

// Clients makes one for each call: all share the connections.
type Clients struct {
	way       Way
	transport *http.Transport
	base      string
}

func (clients Clients) one(step Step) Row {
	isUnary := step.Method != "List" && step.Method != "Upload" && step.Method != "Chat"
	row := Row{Protocol: clients.way.protocol, Service: service, Method: step.Method, Timeout: step.Timeout, Unary: isUnary}
	var id [16]byte
	_, _ = rand.Read(id[:])
	row.ID = hex.EncodeToString(id[:])
	// The server compresses whatever the client takes; gRPC has its status in headers.
	row.Packed = clients.way.takes && row.Protocol != "grpc" && (row.Protocol == "grpc-web" || !isUnary)
	ctx, cancel := context.WithCancel(context.Background())
	if step.Timeout > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), time.Duration(step.Timeout)*time.Millisecond)
	}
	defer cancel()
	if step.Cancel > 0 {
		timer := time.AfterFunc(time.Duration(step.Cancel)*time.Millisecond, cancel)
		defer timer.Stop()
	}
	options := clients.way.options
	if step.Gzip && clients.way.takes {
		options = append(options[:len(options):len(options)], connect.WithSendGzip())
	}
	if step.Method == "Price" {
		options = append(options[:len(options):len(options)], connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	}
	client := connect.NewClient[text, text](&http.Client{Transport: clients.transport}, clients.base+step.Method, options...)
	header := fmt.Sprintf("00-%s-%x-01", row.ID, id[8:])
	row.Begin = time.Now().UnixNano()
	err := run(ctx, cancel, client, step, header, &row)
	row.End = time.Now().UnixNano()
	if err != nil {
		row.Code = int(connect.CodeOf(err))
		var said *connect.Error
		// Where there is no such method, the library makes the text.
		if errors.As(err, &said) && step.Method != "Absent" {
			row.Text = said.Message()
		}
	}
	row.Status = names[row.Code]
	row.GaveUp = row.Code == int(connect.CodeCanceled) || row.Code == int(connect.CodeDeadlineExceeded)
	return row
}

func run(ctx context.Context, cancel func(), client *connect.Client[text, text], step Step, header string, row *Row) error {
	switch step.Method {
	case "List":
		row.Sent = 1
		first := connect.NewRequest(request(step, 0))
		first.Header().Set("traceparent", header)
		stream, err := client.CallServerStream(ctx, first)
		if err != nil {
			return err
		}
		for stream.Receive() {
			if row.Received++; row.Received == step.Stop {
				cancel()
			}
		}
		return stream.Err()
	case "Upload":
		stream := client.CallClientStream(ctx)
		stream.RequestHeader().Set("traceparent", header)
		for i := range step.Order.Count {
			if stream.Send(request(step, i)) != nil {
				break
			}
			row.Sent++
			pause(step.Order.Pause)
		}
		_, err := stream.CloseAndReceive()
		if err == nil {
			row.Received = 1
		}
		return err
	case "Chat":
		return chatWith(ctx, client, step, header, row)
	}
	row.Sent = 1
	only := connect.NewRequest(request(step, 0))
	only.Header().Set("traceparent", header)
	_, err := client.CallUnary(ctx, only)
	if err == nil {
		row.Received = 1
	}
	return err
}

// One asks and the other answers, in turns.
func chatWith(ctx context.Context, client *connect.Client[text, text], step Step, header string, row *Row) error {
	stream := client.CallBidiStream(ctx)
	stream.RequestHeader().Set("traceparent", header)
	for i := range step.Order.Count {
		// What the server said is told by receiving.
		if stream.Send(request(step, i)) == nil {
			row.Sent++
			pause(step.Order.Pause)
		}
		if _, err := stream.Receive(); err != nil {
			return err
		}
		row.Received++
	}
	if err := stream.CloseRequest(); err != nil {
		return err
	}
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		return err
	}
	return stream.CloseResponse()
}

// request is the message with this number of a call: only the last of a stream of requests names a status.
func request(step Step, number int) *text {
	order := step.Order
	order.Fill = strings.Repeat("q", step.Fill)
	if step.Method != "List" && number+1 < order.Count {
		order.Code = 0
	}
	said, err := json.Marshal(order)
	if err != nil {
		panic(err)
	}
	return wrapperspb.String(string(said))
}
