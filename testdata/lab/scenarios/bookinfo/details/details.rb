# What is known of a book. Takes 5 to 60 ms; one request in 40 finds it busy.
require "json"
require "webrick"

Book = Struct.new(:id, :title, :author, :year, :type, :pages, :publisher, :isbn)
random = Random.new(ENV["SEED"].to_i)
books = (0...500).map do |id|
  Book.new(id, "The Comedy of #{%w[Errors Wires Packets Frames Spans][id % 5]}, volume #{id}", "William Shakespeare",
           1595 + id % 20, "paperback", 100 + id * 7 % 400, %w[PublisherA PublisherB][id % 2],
           format("%013d", 9_780_000_000_000 + random.rand(1_000_000_000)))
end

# Of a log-normal distribution, by the method of Box and Muller.
work = lambda do
  normal = Math.sqrt(-2 * Math.log(1 - random.rand)) * Math.cos(2 * Math::PI * random.rand)
  sleep((Math.exp(-4.2 + 0.6 * normal)).clamp(0.005, 0.06))
end

server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: 9080, AccessLog: [], MaxClients: 200,
                                 Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN))
server.mount_proc("/details/") do |request, response|
  work.call
  book = books[Integer(request.path.delete_prefix("/details/"))]
  busy = random.rand(40).zero?
  response.status = busy ? 503 : book ? 200 : 404
  response["Content-Type"] = "application/json"
  response.body = JSON.generate(busy ? { error: "busy" } : book ? book.to_h : { error: "no such book" })
end
trap("TERM") { server.shutdown }
server.start
