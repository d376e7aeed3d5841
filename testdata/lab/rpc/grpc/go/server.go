package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(largest),
		grpc.MaxSendMsgSize(largest),
		// A connection that is silent for a second is asked whether it still lives.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Second, Timeout: 5 * time.Second}),
	)
	unary := func(name string, act func(Order) (string, error)) grpc.MethodDesc {
		return grpc.MethodDesc{MethodName: name, Handler: func(
			_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
		) (any, error) {
			var request wrapperspb.StringValue
			if err := decode(&request); err != nil {
				return nil, err
			}
			order, err := orderOf(&request)
			if err != nil {
				return nil, err
			}
			// Trailers beside those of gRPC itself.
			_ = grpc.SetTrailer(ctx, metadata.Pairs("lab-stock", "7"))
			answer, err := act(order)
			if err != nil {
				return nil, err
			}
			return wrapperspb.String(answer), nil
		}}
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			unary("Price", func(order Order) (string, error) { return filled(order), nil }),
			unary("Fail", func(order Order) (string, error) { return "", failure(order) }),
			unary("Sleep", func(order Order) (string, error) {
				time.Sleep(time.Duration(order.Sleep) * time.Millisecond)
				return "awake", nil
			}),
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "List", Handler: list, ServerStreams: true},
			{StreamName: "Upload", Handler: upload, ClientStreams: true},
			{StreamName: "Chat", Handler: chat, ServerStreams: true, ClientStreams: true},
		},
	}, nil)
	return server.Serve(listener)
}

func orderOf(request *wrapperspb.StringValue) (order Order, err error) {
	if err = json.Unmarshal([]byte(request.Value), &order); err != nil {
		err = status.Error(codes.InvalidArgument, err.Error())
	}
	return order, err
}

func filled(order Order) string { return strings.Repeat("7", max(order.Size, 1)) }

// failure is the status that the order names, nil for 0.
func failure(order Order) error {
	return status.Error(codes.Code(order.Code), order.Text)
}

func list(_ any, stream grpc.ServerStream) error {
	order, err := receive(stream)
	for i := 0; err == nil && i < order.Count; i++ {
		if err = stream.SendMsg(wrapperspb.String(filled(order))); err == nil {
			time.Sleep(time.Duration(order.Pause) * time.Millisecond)
		}
	}
	if err != nil {
		return err
	}
	return failure(order)
}

func upload(_ any, stream grpc.ServerStream) error {
	for {
		order, err := receive(stream)
		if err == io.EOF {
			return stream.SendMsg(wrapperspb.String("7"))
		}
		if err == nil {
			// An order with a status is the last that is listened to.
			err = failure(order)
		}
		if err != nil {
			return err
		}
	}
}

func chat(_ any, stream grpc.ServerStream) error {
	for {
		order, err := receive(stream)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = failure(order)
		}
		if err == nil {
			err = stream.SendMsg(wrapperspb.String(filled(order)))
		}
		if err != nil {
			return err
		}
	}
}

func receive(stream grpc.ServerStream) (Order, error) {
	var request wrapperspb.StringValue
	if err := stream.RecvMsg(&request); err != nil {
		return Order{}, err
	}
	return orderOf(&request)
}
