// What is asked of sentences.txt.

export const QUESTIONS = [
  "How do I get my money back?",
  "Which animals sleep through the winter?",
  "When did humans reach the moon?",
  "I forgot my password",
  "How long does delivery take?",
  "May I bring my dog?",
  "When does the last train leave?",
  "Which animal runs fastest?",
  "How many hearts does an octopus have?",
  "How do I end my subscription?",
  "On which days is the museum closed?",
  "Can I pay by credit card?",
];
