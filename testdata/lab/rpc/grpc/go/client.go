package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Step is a line of the plan: calls that are alike.
type Step struct {
	Method string `json:"method"`
	Order  Order  `json:"order"`
	// Times is how often, At how many of them are made at a time.
	Times int `json:"times"`
	At    int `json:"at"`
	// Fill is how many bytes the request is filled up with.
	Fill int  `json:"fill"`
	Gzip bool `json:"gzip"`
	// Binary sends the trace context as grpc-trace-bin, not as traceparent.
	Binary bool `json:"binary"`
	// Timeout is the deadline; Cancel is after how long the client gives up. Both in milliseconds.
	Timeout int `json:"timeout"`
	Cancel  int `json:"cancel"`
	// Stop is after how many answers of a stream the client gives up.
	Stop int `json:"stop"`
	// Wait is how many milliseconds nothing is done; the step calls nothing.
	Wait int `json:"wait"`
}

// Row is what the log says of a call. Times are nanoseconds since 1970.
type Row struct {
	Begin    int64  `json:"begin"`
	End      int64  `json:"end"`
	Protocol string `json:"protocol"`
	Service  string `json:"service"`
	Method   string `json:"method"`
	// ID is the trace id that the call carried.
	ID       string `json:"id"`
	Status   string `json:"status"`
	Code     int    `json:"code"`
	Text     string `json:"text,omitempty"`
	Sent     int    `json:"sent"`
	Received int    `json:"received"`
	// GaveUp says that the client ended the call, by itself or as its deadline passed.
	GaveUp  bool `json:"gave_up,omitempty"`
	Timeout int  `json:"timeout,omitempty"`
}

var names = []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
	"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

func call(address, plan, log string) error {
	text, err := os.ReadFile(plan)
	if err != nil {
		return err
	}
	var steps []Step
	if err = json.Unmarshal(text, &steps); err != nil {
		return fmt.Errorf("%s: %w", plan, err)
	}
	file, err := os.Create(log)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUserAgent("lab-go"),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largest), grpc.MaxCallSendMsgSize(largest)))
	if err != nil {
		return err
	}
	writer := json.NewEncoder(file)
	writer.SetEscapeHTML(false)
	var lock sync.Mutex
	number := 0
	for _, step := range steps {
		time.Sleep(time.Duration(step.Wait) * time.Millisecond)
		if step.Method == "" {
			continue
		}
		var all sync.WaitGroup
		free := make(chan struct{}, max(step.At, 1))
		for range max(step.Times, 1) {
			number++
			n := number
			free <- struct{}{}
			all.Go(func() {
				row := one(connection, step, n)
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
	if err = connection.Close(); err != nil {
		return err
	}
	return file.Close()
}

func one(connection *grpc.ClientConn, step Step, number int) Row {
	row := Row{Protocol: "grpc", Service: service, Method: step.Method, Timeout: step.Timeout}
	id := sha256.Sum256(fmt.Appendf(nil, "go %d %d", number, os.Getpid()))
	row.ID = hex.EncodeToString(id[:16])
	ctx, cancel := context.WithCancel(context.Background())
	if step.Timeout > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), time.Duration(step.Timeout)*time.Millisecond)
	}
	defer cancel()
	if step.Binary {
		// OpenCensus's binary form: version, then fields 0 (trace id), 1 (span id) and 2 (flags).
		value := append([]byte{0, 0}, id[:16]...)
		value = append(append(value, 1), id[16:24]...)
		ctx = metadata.AppendToOutgoingContext(ctx, "grpc-trace-bin", string(append(value, 2, 1)))
	} else {
		ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", fmt.Sprintf("00-%s-%x-01", row.ID, id[16:24]))
	}
	if step.Cancel > 0 {
		timer := time.AfterFunc(time.Duration(step.Cancel)*time.Millisecond, cancel)
		defer timer.Stop()
	}
	var options []grpc.CallOption
	if step.Gzip {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	path := "/" + service + "/" + step.Method
	row.Begin = time.Now().UnixNano()
	var err error
	switch step.Method {
	case "List", "Upload", "Chat":
		err = stream(ctx, cancel, connection, path, step, &row, options)
	default:
		var answer wrapperspb.StringValue
		row.Sent = 1
		if err = connection.Invoke(ctx, path, request(step, 0), &answer, options...); err == nil {
			row.Received = 1
		}
	}
	row.End = time.Now().UnixNano()
	said := status.Convert(err)
	row.Code, row.Status, row.Text = int(said.Code()), names[said.Code()], said.Message()
	if row.Code == 0 {
		row.Text = ""
	}
	row.GaveUp = said.Code() == codes.Canceled || said.Code() == codes.DeadlineExceeded
	return row
}

// request is the message with this number of a call: only the last of a stream of requests names a status.
func request(step Step, number int) *wrapperspb.StringValue {
	order := step.Order
	order.Fill = strings.Repeat("q", step.Fill)
	if step.Method != "List" && number+1 < order.Count {
		order.Code = 0
	}
	text, err := json.Marshal(order)
	if err != nil {
		panic(err)
	}
	return wrapperspb.String(string(text))
}

func stream(ctx context.Context, cancel func(), connection *grpc.ClientConn, path string, step Step, row *Row,
	options []grpc.CallOption) error {
	both := &grpc.StreamDesc{ClientStreams: step.Method != "List", ServerStreams: step.Method != "Upload"}
	opened, err := connection.NewStream(ctx, both, path, options...)
	if err != nil {
		return err
	}
	send := 1
	if step.Method != "List" {
		send = step.Order.Count
	}
	receive := func() error {
		var answer wrapperspb.StringValue
		err := opened.RecvMsg(&answer)
		if err == nil {
			if row.Received++; row.Received == step.Stop {
				cancel()
			}
		}
		return err
	}
	for i := range send {
		if err = opened.SendMsg(request(step, i)); err != nil {
			break
		}
		row.Sent++
		time.Sleep(time.Duration(step.Order.Pause) * time.Millisecond)
		// One asks and the other answers, in turns.
		if step.Method == "Chat" {
			if err = receive(); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = opened.CloseSend()
	}
	// Where sending failed, what the server said is told by receiving.
	for err == nil || err == io.EOF {
		if err = receive(); err == io.EOF {
			return nil
		}
		if err == nil && step.Method == "Upload" {
			return nil
		}
	}
	return err
}
