package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type text = wrapperspb.StringValue

func serve(address string) error {
	mux := http.NewServeMux()
	unary := func(method string, act func(Order) (*text, error), options ...connect.HandlerOption) {
		path := "/" + service + "/" + method
		handle := func(_ context.Context, request *connect.Request[text]) (*connect.Response[text], error) {
			order, err := orderOf(request.Msg)
			if err != nil {
				return nil, err
			}
			answer, err := act(order)
			if err != nil {
				return nil, err
			}
			response := connect.NewResponse(answer)
			// A trailer beside those of the protocol.
			response.Trailer().Set("lab-stock", "7")
			return response, nil
		}
		mux.Handle(path, connect.NewUnaryHandler(path, handle, options...))
	}
	// Connect may ask with GET.
	unary("Price", func(order Order) (*text, error) { return filled(order), nil },
		connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	unary("Fail", func(order Order) (*text, error) { return wrapperspb.String(""), failure(order) })
	unary("Sleep", func(order Order) (*text, error) {
		pause(order.Sleep)
		return wrapperspb.String("awake"), nil
	})
	path := "/" + service + "/"
	mux.Handle(path+"List", connect.NewServerStreamHandler(path+"List", list))
	mux.Handle(path+"Upload", connect.NewClientStreamHandler(path+"Upload", upload))
	mux.Handle(path+"Chat", connect.NewBidiStreamHandler(path+"Chat", chat))
	server := http.Server{Addr: address, Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return server.ListenAndServe()
}

func list(_ context.Context, request *connect.Request[text], stream *connect.ServerStream[text]) error {
	order, err := orderOf(request.Msg)
	for range order.Count {
		if err == nil {
			err = stream.Send(filled(order))
		}
		pause(order.Pause)
	}
	if err != nil {
		return err
	}
	return failure(order)
}

func upload(_ context.Context, stream *connect.ClientStream[text]) (*connect.Response[text], error) {
	for stream.Receive() {
		order, err := orderOf(stream.Msg())
		if err == nil {
			err = failure(order)
		}
		if err != nil {
			return nil, err
		}
	}
	return connect.NewResponse(wrapperspb.String("7")), stream.Err()
}

func chat(_ context.Context, stream *connect.BidiStream[text, text]) error {
	for {
		message, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		order, err := orderOf(message)
		if err == nil {
			err = failure(order)
		}
		if err == nil {
			err = stream.Send(filled(order))
		}
		if err != nil {
			return err
		}
	}
}

func orderOf(message *text) (order Order, err error) {
	return order, json.Unmarshal([]byte(message.Value), &order)
}

func filled(order Order) *text { return wrapperspb.String(strings.Repeat("7", max(order.Size, 1))) }

func pause(milliseconds int) { time.Sleep(time.Duration(milliseconds) * time.Millisecond) }

func failure(order Order) error {
	if order.Code == 0 {
		return nil
	}
	return connect.NewError(connect.Code(order.Code), errors.New(order.Text))
}
