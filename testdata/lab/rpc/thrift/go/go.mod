module lab/thrift

go 1.24

require github.com/apache/thrift v0.22.0
